//! The snapshot that each segment begins with: all that was known of the
//! streams and the other segments. So one segment is enough to open a store,
//! and older ones can be removed without a trace.
//!
//! It is a sequence of records, in one or more frames; none is split:
//!
//! | tag | record |
//! |---|---|
//! | 1 | next id (8 bytes) |
//! | 2 | a stream, in the order of their numbers: version (8), last id (8), time of the last entry (8), version of the last entry removed (8), id of the first entry retained or 0 (8), length of the name (2), name |
//! | 3 | a segment: number (8), first id (8), entries (8), where its frames end (8), where the last frame begins (8), bytes 0..4 of that frame (4), entries retained (8) |
//! | 4 | a checkpoint: length (4), body of its frame |

use bytes::Bytes;
use ledger_core::{StreamName, Timestamp};

use super::bytes::{Input, len16, len32};
use super::facts;

/// A frame takes no more records once its body is this long.
const CHUNK: usize = 256 * 1024;

/// What is known of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) name: StreamName,
    /// How many entries were ever appended.
    pub(crate) version: u64,
    pub(crate) last_id: i64,
    pub(crate) last_at: Timestamp,
    /// The version of the last entry removed by a trim.
    pub(crate) trimmed: u64,
    /// The id of the first entry retained, or 0.
    pub(crate) first_id: i64,
}

/// What is known of a segment that is not written any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    pub(crate) number: u64,
    pub(crate) base_id: i64,
    pub(crate) count: u64,
    pub(crate) end: u64,
    pub(crate) last: u64,
    pub(crate) crc: u32,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    NextId(i64),
    Stream(Head),
    Segment(SegmentFacts, u64),
    Checkpoint(String, Bytes),
}

impl Item {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::NextId(id) => {
                out.push(1);
                out.extend(id.to_le_bytes());
            }
            Self::Stream(head) => {
                out.push(2);
                out.extend(head.version.to_le_bytes());
                out.extend(head.last_id.to_le_bytes());
                out.extend(head.last_at.as_micros().to_le_bytes());
                out.extend(head.trimmed.to_le_bytes());
                out.extend(head.first_id.to_le_bytes());
                out.extend(len16(head.name.as_str().len()));
                out.extend(head.name.as_str().as_bytes());
            }
            Self::Segment(segment, live) => {
                out.push(3);
                out.extend(segment.number.to_le_bytes());
                out.extend(segment.base_id.to_le_bytes());
                out.extend(segment.count.to_le_bytes());
                out.extend(segment.end.to_le_bytes());
                out.extend(segment.last.to_le_bytes());
                out.extend(segment.crc.to_le_bytes());
                out.extend(live.to_le_bytes());
            }
            Self::Checkpoint(name, content) => {
                out.push(4);
                out.extend(len32(2 + name.len() + content.len()));
                facts::write_checkpoint(out, name, content);
            }
        }
    }

    fn read(input: &mut Input<'_>) -> Option<Self> {
        Some(match input.u8()? {
            1 => Self::NextId(input.i64()?),
            2 => {
                let (version, last_id, at) = (input.u64()?, input.i64()?, input.i64()?);
                let (trimmed, first_id, len) = (input.u64()?, input.i64()?, input.u16()?);
                Self::Stream(Head {
                    name: StreamName::new(input.text(len.into())?).ok()?,
                    version,
                    last_id,
                    last_at: Timestamp::from_micros(at)?,
                    trimmed,
                    first_id,
                })
            }
            3 => {
                let facts = SegmentFacts {
                    number: input.u64()?,
                    base_id: input.i64()?,
                    count: input.u64()?,
                    end: input.u64()?,
                    last: input.u64()?,
                    crc: input.u32()?,
                };
                Self::Segment(facts, input.u64()?)
            }
            4 => {
                let len = input.u32()?;
                let body = Bytes::copy_from_slice(input.take(len as usize)?);
                let (name, content) = facts::read_checkpoint(&body)?;
                Self::Checkpoint(name, content)
            }
            _ => return None,
        })
    }
}

/// The bodies of the frames of a snapshot.
pub(crate) fn write_snapshot(items: impl Iterator<Item = Item>) -> Vec<Vec<u8>> {
    let mut bodies = vec![Vec::new()];
    for item in items {
        if bodies.last().is_some_and(|body| body.len() >= CHUNK) {
            bodies.push(Vec::new());
        }
        if let Some(body) = bodies.last_mut() {
            item.write(body);
        }
    }
    bodies
}

/// The records of one frame; `None` if they are not such.
pub(crate) fn read_snapshot(body: &[u8]) -> Option<Vec<Item>> {
    let mut input = Input(body);
    let mut items = Vec::new();
    while !input.is_empty() {
        items.push(Item::read(&mut input)?);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Item> {
        let head = Head {
            name: StreamName::from_static("orders"),
            version: 9,
            last_id: 40,
            last_at: Timestamp::EPOCH,
            trimmed: 2,
            first_id: 11,
        };
        let segment = SegmentFacts {
            number: 1,
            base_id: 1,
            count: 40,
            end: 4096,
            last: 4000,
            crc: 99,
        };
        vec![
            Item::NextId(41),
            Item::Stream(head),
            Item::Segment(segment, 30),
            Item::Checkpoint("mailer".into(), Bytes::from_static(b"4")),
        ]
    }

    #[test]
    fn records_come_back_from_any_number_of_frames() {
        for times in [0, 1, 5_000] {
            let all: Vec<Item> = std::iter::repeat_n(items(), times).flatten().collect();
            let bodies = write_snapshot(all.iter().cloned());
            assert_eq!(bodies.len() > 1, times > 1);
            let read = bodies.iter().map(|body| read_snapshot(body).unwrap());
            assert!(read.flatten().eq(all));
        }
    }

    #[test]
    fn cut_records_are_refused() {
        let body = write_snapshot(items().into_iter()).remove(0);
        let whole: Vec<usize> = (0..body.len())
            .filter(|len| read_snapshot(&body[..*len]).is_some())
            .collect();
        assert_eq!(whole.len(), 4, "only between two records: {whole:?}");
    }
}
