//! The plain store read stream by stream, as one without a common order is.

use std::collections::BTreeMap;

use ledger_core::{
    Error, Kind, PageEnd, ReadAll, Result, StoreCursor, StorePage, StoreRecord, StreamName,
};

use crate::plain::{Data, Plain};

/// How far a reader has come in each stream.
type Places = BTreeMap<String, i64>;

impl Plain {
    pub(crate) fn read_streams(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        if read.is_descending() {
            return Err(Error::unsupported("descending read_all"));
        }
        let data = self.place.lock();
        let mut places = decode(&data, read.after())?;
        // The streams take turns, the last one first.
        let mut waiting: Vec<_> = data
            .streams
            .keys()
            .rev()
            .map(|stream| {
                let after = places.get(stream.as_str()).copied().unwrap_or(0);
                let rows = data.rows.range(after + 1..);
                rows.map(|(_, row)| row)
                    .filter(move |row| row.stream == *stream)
            })
            .collect();
        let mut found = Vec::new();
        let mut all = false;
        while found.len() <= read.limit() && !all {
            all = true;
            for rows in &mut waiting {
                let next = rows
                    .take(3)
                    .map(|row| StoreRecord::new(row.stream.clone(), row.record.clone()));
                let before = found.len();
                found.extend(next);
                all &= found.len() == before;
            }
        }
        let mut end = PageEnd::CaughtUp;
        if found.len() > read.limit() {
            found.truncate(read.limit());
            end = PageEnd::More;
        }
        self.shorten(&mut found, &mut end, false);
        for found in &found {
            places.insert(found.stream.as_str().to_owned(), found.record.id);
        }
        Ok(StorePage::new(found, encode(&data, &places), end))
    }

    pub(crate) fn stream_heads(&self) -> StoreCursor {
        let data = self.place.lock();
        let heads = data.streams.keys();
        let heads = heads.map(|name| (name.as_str().to_owned(), data.last_id));
        encode(&data, &heads.collect())
    }

    pub(crate) fn behind_streams(
        &self,
        read: &ReadAll,
        seen: &[(StreamName, i64)],
    ) -> Result<StoreCursor> {
        let data = self.place.lock();
        let mut places = decode(&data, read.after())?;
        places.extend(
            seen.iter()
                .map(|(name, id)| (name.as_str().to_owned(), *id)),
        );
        Ok(encode(&data, &places))
    }
}

fn encode(data: &Data, places: &Places) -> StoreCursor {
    let text = serde_json::to_vec(&(data.id.to_string(), places));
    let mut bytes = text.unwrap_or_default();
    bytes.extend(checksum(&bytes).to_be_bytes());
    StoreCursor::from_bytes(bytes)
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn decode(data: &Data, cursor: Option<&StoreCursor>) -> Result<Places> {
    let Some(cursor) = cursor else {
        return Ok(Places::new());
    };
    let refused = || Error::new(Kind::InvalidCursor, "not a cursor of this store");
    let (text, sum) = cursor.as_bytes().split_last_chunk().ok_or_else(refused)?;
    if u64::from_be_bytes(*sum) != checksum(text) {
        return Err(refused());
    }
    let (store, places): (String, Places) = serde_json::from_slice(text).map_err(|_| refused())?;
    let ahead = places.values().any(|place| *place > data.last_id);
    if store != data.id.to_string() || ahead {
        return Err(refused());
    }
    Ok(places)
}
