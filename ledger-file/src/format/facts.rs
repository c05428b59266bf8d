//! The bodies of the frames that are not batches.
//!
//! | bytes | trim |
//! |---|---|
//! | 0..4 | number of the stream |
//! | 4..12 | version of the last entry removed |
//! | 12..20 | id of the first entry retained, or 0 |
//! | 20..24 | number of segments that lost entries |
//! | 24.. | for each, its number and how many, 8 bytes each |
//!
//! A drop is a sequence of numbers of segments, 8 bytes each. A checkpoint is
//! the length of its name in 2 bytes, the name, and its content; of no content
//! if it was deleted.

use bytes::Bytes;

use super::bytes::{Input, len16, len32};

/// How far a stream was trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trim {
    pub(crate) stream: u32,
    pub(crate) through_version: u64,
    pub(crate) first_id: i64,
    /// Segments, and how many entries each lost.
    pub(crate) removed: Vec<(u64, u64)>,
}

impl Trim {
    pub(crate) fn len(&self) -> usize {
        24 + 16 * self.removed.len()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.stream.to_le_bytes());
        out.extend(self.through_version.to_le_bytes());
        out.extend(self.first_id.to_le_bytes());
        out.extend(len32(self.removed.len()));
        for (segment, count) in &self.removed {
            out.extend(segment.to_le_bytes());
            out.extend(count.to_le_bytes());
        }
    }

    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut input = Input(body);
        let (stream, through_version) = (input.u32()?, input.u64()?);
        let (first_id, count) = (input.i64()?, input.u32()?);
        let mut removed = Vec::new();
        while !input.is_empty() {
            removed.push((input.u64()?, input.u64()?));
        }
        (removed.len() == count as usize).then_some(Self {
            stream,
            through_version,
            first_id,
            removed,
        })
    }
}

pub(crate) fn write_drop(out: &mut Vec<u8>, segments: &[u64]) {
    for segment in segments {
        out.extend(segment.to_le_bytes());
    }
}

pub(crate) fn read_drop(body: &[u8]) -> Option<Vec<u64>> {
    let mut input = Input(body);
    let mut segments = Vec::new();
    while !input.is_empty() {
        segments.push(input.u64()?);
    }
    Some(segments)
}

pub(super) fn write_checkpoint(out: &mut Vec<u8>, name: &str, content: &[u8]) {
    out.extend(len16(name.len()));
    out.extend(name.as_bytes());
    out.extend(content);
}

pub(crate) fn read_checkpoint(body: &Bytes) -> Option<(String, Bytes)> {
    let mut input = Input(body);
    let len = input.u16()?;
    let name = input.text(len.into())?.to_owned();
    Some((name, body.slice(2 + usize::from(len)..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_and_cut_ones_are_refused() {
        let trim = Trim {
            stream: 3,
            through_version: 9,
            first_id: 0,
            removed: vec![(1, 5), (2, 4)],
        };
        let mut out = Vec::new();
        trim.write(&mut out);
        assert_eq!(out.len(), trim.len());
        assert_eq!(Trim::read(&out), Some(trim));
        for len in 0..out.len() {
            assert_eq!(Trim::read(&out[..len]), None, "{len}");
        }
        let mut out = Vec::new();
        write_drop(&mut out, &[7, 8]);
        assert_eq!(read_drop(&out), Some(vec![7, 8]));
        assert_eq!(read_drop(&out[..9]), None);
        let mut out = Vec::new();
        write_checkpoint(&mut out, "mailer", b"42");
        let read = read_checkpoint(&out.into()).unwrap();
        assert_eq!(read, ("mailer".to_owned(), Bytes::from_static(b"42")));
        assert_eq!(read_checkpoint(&Bytes::from_static(b"\x05\x00abc")), None);
    }
}
