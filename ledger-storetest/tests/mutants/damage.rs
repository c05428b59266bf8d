//! What happens to entries and names on their way in and out.

use ledger_core::{
    Batch, ContentType, Error, Kind, Limits, Metadata, RawEntry, Result, StreamName, Timestamp,
};

use crate::appending::rebuilt;
use crate::bugs::Bug;
use crate::plain::{Plain, Twist};

/// Stands between a dedup key as given and what a bug adds to it.
const MARK: char = '\u{1}';

impl Plain {
    pub(crate) fn fold_name(&self, name: &StreamName) -> StreamName {
        let text = name.as_str();
        let folded = match self.twist {
            Twist::Bug(Bug::NamesFolded) => text.to_lowercase(),
            Twist::Bug(Bug::NamesTrimmed) => text.trim().to_owned(),
            Twist::Bug(Bug::NamesNormalised) => text.replace("e\u{301}", "é"),
            Twist::Bug(Bug::NamesCollated) => text.replace('ß', "ss").replace('İ', "i"),
            Twist::Bug(Bug::NamesCut) => cut(text, 500),
            _ => return name.clone(),
        };
        StreamName::new(&folded).unwrap_or_else(|_| name.clone())
    }

    pub(crate) fn fold_key(&self, key: &str) -> String {
        match self.twist {
            Twist::Bug(Bug::KeysFolded) => key.to_lowercase(),
            Twist::Bug(Bug::KeysTrimmed) => key.trim().to_owned(),
            Twist::Bug(Bug::KeysCompareCut) => cut(key, 255),
            _ => key.to_owned(),
        }
    }

    /// Changes entries before they are looked at.
    pub(crate) fn damage(&self, batch: Batch) -> Result<Batch> {
        let Twist::Bug(bug) = self.twist else {
            return Ok(batch);
        };
        if bug == Bug::IncompressibleRefused {
            let keys = batch.entries().iter().filter_map(|e| e.order_key.as_ref());
            for key in keys.filter(|key| key.len() > 256) {
                let distinct: std::collections::BTreeSet<_> = key.chars().collect();
                if distinct.len() > 40 {
                    return Err(Error::new(Kind::Internal, "index row size exceeded"));
                }
            }
        }
        let deep = |e: &RawEntry| e.payload.iter().filter(|byte| **byte == b'[').count() > 100;
        if bug == Bug::DeepRefused && batch.entries().iter().any(deep) {
            return Err(Error::new(Kind::Internal, "nested more than 100 deep"));
        }
        let mut seen = std::collections::HashMap::new();
        let mut entries = Vec::with_capacity(batch.entries().len());
        for entry in batch.entries() {
            entries.push(change(bug, entry.clone(), &mut seen));
        }
        rebuilt(&batch, entries)
    }

    /// Takes off what `damage` put on for the decision only.
    pub(crate) fn strip(&self, mut entry: RawEntry) -> RawEntry {
        let marks = self.has(Bug::NoKeyDedups) || self.has(Bug::InBatchRepeatStored);
        if marks
            && let Some((key, _)) = entry
                .dedup_key
                .as_deref()
                .and_then(|key| key.split_once(MARK))
        {
            entry.dedup_key = (!key.is_empty()).then(|| key.to_owned());
        }
        if self.has(Bug::AbsentKeyIsEmpty) {
            entry.order_key.get_or_insert_default();
        }
        entry
    }

    pub(crate) fn round(&self, at: Timestamp) -> Timestamp {
        let step = match self.twist {
            Twist::Bug(Bug::SecondsOnly) => 1_000_000,
            Twist::Bug(Bug::LocalTime) => {
                return at.saturating_add(std::time::Duration::from_secs(7200));
            }
            _ => return at,
        };
        Timestamp::from_micros(at.as_micros() / step * step).unwrap_or(at)
    }
}

fn change(
    bug: Bug,
    mut entry: RawEntry,
    seen: &mut std::collections::HashMap<String, u32>,
) -> RawEntry {
    match bug {
        Bug::PayloadCutAtNul => {
            let end = entry.payload.iter().position(|b| *b == 0);
            entry.payload.truncate(end.unwrap_or(entry.payload.len()));
        }
        Bug::PayloadReplaced => entry.payload = "{}".into(),
        Bug::PayloadRewritten => {
            if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&entry.payload) {
                entry.payload = value.to_string().into();
            }
        }
        Bug::PayloadTrimmed => entry.payload = entry.payload.trim_ascii().to_vec().into(),
        Bug::PayloadIsText => {
            entry.payload = String::from_utf8_lossy(&entry.payload).into_owned().into();
        }
        Bug::PayloadCutAt64K => entry.payload.truncate(65_535),
        Bug::EmptyPayloadIsNull if entry.payload.is_empty() => entry.payload = "null".into(),
        Bug::EscapedNulLost => {
            if let Ok(text) = std::str::from_utf8(&entry.payload) {
                entry.payload = text.replace("\\u0000", "").into();
            }
        }
        Bug::NumbersAsFloats => {
            if let Ok(number) = serde_json::from_slice::<f64>(&entry.payload) {
                entry.payload = number.to_string().into();
            }
        }
        Bug::ControlsLost => {
            let kept = |text: String| text.replace(|c: char| c.is_control(), "");
            entry.metadata = map(&entry.metadata, |k, v| Some((k, kept(v))));
        }
        Bug::MetadataDotsNested => {
            let all = entry.metadata.clone();
            entry.metadata = map(&all, |k, v| {
                let hidden = k
                    .split_once('.')
                    .is_some_and(|(outer, _)| all.get(outer).is_some());
                (!hidden).then_some((k, v))
            });
        }
        Bug::MetadataDollarLost => {
            entry.metadata = map(&entry.metadata, |k, v| {
                (!k.starts_with('$')).then_some((k, v))
            });
        }
        Bug::MetadataKeysFolded => {
            entry.metadata = map(&entry.metadata, |k, v| Some((k.to_lowercase(), v)));
        }
        Bug::MetadataTrimmed => {
            entry.metadata = map(&entry.metadata, |k, v| Some((k, v.trim().to_owned())));
        }
        Bug::KeysSwapped => std::mem::swap(&mut entry.order_key, &mut entry.dedup_key),
        Bug::SchemaVersionLost => entry.schema_version = 1,
        Bug::SchemaVersionAsI16 => entry.schema_version = entry.schema_version.min(32_767),
        Bug::ContentTypeLost => entry.content_type = ContentType::JSON,
        Bug::ContentTypeFolded => {
            let folded = entry.content_type.as_str().to_lowercase().replace('~', "-");
            entry.content_type = ContentType::parse(&folded).unwrap_or(entry.content_type);
        }
        Bug::OrderKeyCut => entry.order_key = entry.order_key.map(|key| cut(&key, 255)),
        Bug::OrderKeyLost => entry.order_key = None,
        Bug::DedupKeyCut => entry.dedup_key = entry.dedup_key.map(|key| cut(&key, 255)),
        Bug::MetadataCut => entry.metadata = map(&entry.metadata, |k, v| Some((k, cut(&v, 255)))),
        Bug::MetadataLast => {
            let keep = entry.metadata.len().saturating_sub(1);
            let pairs = entry.metadata.iter().take(keep);
            entry.metadata = pairs.collect();
        }
        Bug::MetadataEmptyLost => {
            entry.metadata = map(&entry.metadata, |k, v| (!v.is_empty()).then_some((k, v)));
        }
        Bug::MetadataLost => entry.metadata = Metadata::new(),
        Bug::NoKeyDedups if entry.dedup_key.is_none() => {
            let payload = String::from_utf8_lossy(&entry.payload).replace('\0', "");
            entry.dedup_key = Some(format!("{MARK}{}", cut(&payload, 400)));
        }
        Bug::InBatchRepeatStored => {
            if let Some(key) = &mut entry.dedup_key {
                let times = seen.entry(key.clone()).or_default();
                if *times > 0 && key.len() < 500 {
                    *key = format!("{key}{MARK}{}", fastrand::u32(..));
                }
                *times += 1;
            }
        }
        _ => {}
    }
    entry
}

fn map(metadata: &Metadata, f: impl Fn(String, String) -> Option<(String, String)>) -> Metadata {
    let pairs = metadata.iter();
    pairs
        .filter_map(|(k, v)| f(k.to_owned(), v.to_owned()))
        .collect()
}

fn cut(text: &str, most: usize) -> String {
    debug_assert!((most as u64) < Limits::TABLE.stream_name);
    text[..text.floor_char_boundary(most)].to_owned()
}

/// Whether a text is matched by a pattern of SQL's LIKE.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let mut tails = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            tails.any(|at| like(rest.as_str(), &text[at..]))
        }
        Some(c) => {
            let mut others = text.chars();
            let first = others.next();
            first.is_some_and(|first| c == '_' || c == first)
                && like(rest.as_str(), others.as_str())
        }
    }
}
