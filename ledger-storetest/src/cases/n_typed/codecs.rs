//! Values, codecs and what is stored with them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use ledger_core::{
    ContentType, EntryId, Kind, NewEntry, Query, Raw, RawEntry, Schema, StoreExt, Stream,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{all_of, all_pages, tells_the_place};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::sample::{append_one, name, whole};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Point(i64, i64),
    Named {
        id: u128,
        note: Option<String>,
        tags: BTreeMap<String, Vec<u8>>,
    },
}

/// What is appended through a codec is read back the same, at the ends of the
/// number types too, and what the encoding cannot hold is refused before
/// anything is stored. Catches numbers that go through floats, NaN stored as
/// null, and stores that read payloads.
pub(crate) async fn n01_codec_roundtrip_law<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let mut rng = lab.rng();
    let mut unsigned = vec![0, 1, u128::MAX, u128::from(u64::MAX), (1 << 53) + 1];
    unsigned.extend(std::iter::repeat_with(|| rng.u128(..)).take(20));
    law(&store, "u128", unsigned).await?;
    law(
        &store,
        "u64",
        vec![0, u64::MAX, (1 << 53) + 1, u64::MAX - 1],
    )
    .await?;
    law(&store, "i64", vec![i64::MIN, i64::MAX, -1, -(1 << 53) - 1]).await?;
    law(&store, "i128", vec![i128::MIN, i128::MAX]).await?;
    law(
        &store,
        "text",
        vec![
            String::new(),
            "\0 \u{1F4D2} \"\\ \u{2028} \r\n\u{7f}".into(),
        ],
    )
    .await?;
    let tags = [("a.b", vec![0, 255]), ("", vec![])];
    let tags = tags.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    let named = Shape::Named {
        id: u128::MAX,
        note: None,
        tags,
    };
    law(
        &store,
        "shape",
        vec![Shape::Nothing, Shape::Point(i64::MIN, 0), named],
    )
    .await?;
    law(&store, "option", vec![None, Some(true), Some(false)]).await?;
    law(&store, "unit", vec![()]).await?;

    let mut floats = vec![
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        -f64::from_bits(1),
        f64::MAX,
        f64::MIN,
        f64::EPSILON,
        0.1,
        1e300,
        9_007_199_254_740_993.0,
    ];
    floats.extend(std::iter::repeat_with(|| f64::from_bits(rng.u64(..))).take(40));
    floats.retain(|f| f.is_finite());
    let stream = store.stream::<f64>("n01-f64");
    stream.append_all(floats.clone()).await?;
    let got: Vec<_> = all_pages(&stream, Query::new())
        .await?
        .into_iter()
        .map(|e| e.value.to_bits())
        .collect();
    let sent: Vec<_> = floats.iter().map(|f| f.to_bits()).collect();
    check::equal("P24", "floats, bit by bit", got, sent)?;

    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        lab.step(format!("the float {bad}"));
        let encode = |k: &Kind| *k == Kind::Encode;
        let before = stream.count().await?;
        let call = stream.append_all([1.0, bad]).await;
        check::refused("P24", format!("the float {bad}"), call, "Encode", encode)?;
        check::equal("P7", "entries after it", stream.count().await?, before)?;
        let nested = store.stream::<Vec<Option<f64>>>("n01-nested");
        let call = nested.append(vec![None, Some(bad)]).await;
        check::refused(
            "P24",
            format!("{bad} inside a value"),
            call,
            "Encode",
            encode,
        )?;
        check::equal("P24", "the stream after it", nested.stat().await?, None)?;
    }

    let schema = Schema::typed(Raw, 7).build();
    let schema = schema.map_err(|e| broken("a schema of bytes", &e))?;
    let stream = Stream::with_schema(store.clone(), "n01-bytes", schema);
    let sent = [
        Bytes::from_iter(0..=255),
        Bytes::new(),
        Bytes::from_static(b" {} "),
    ];
    stream.append_all(sent.clone()).await?;
    let page = all_pages(&stream, Query::new()).await?;
    let got: Vec<_> = page
        .iter()
        .map(|e| (e.value.clone(), e.schema_version))
        .collect();
    check::equal("P16", "bytes", got, sent.map(|bytes| (bytes, 7)).to_vec())?;
    Ok(Ran::Whole)
}

/// `values`, in JSON, through the store and back.
async fn law<I, T>(store: &Handle<I>, kind: &str, values: Vec<T>) -> Result<(), Failure>
where
    I: EntryId,
    T: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + 'static,
{
    let stream = store.stream::<T>(format!("n01-{kind}"));
    stream.append_all(values.clone()).await?;
    let page = all_pages(&stream, Query::new()).await?;
    let stamps: Vec<_> = page
        .iter()
        .map(|e| (e.schema_version, e.content_type.clone()))
        .collect();
    let wanted = vec![(1, ContentType::JSON); values.len()];
    check::equal(
        "P24",
        format!("what {kind} values are stamped with"),
        stamps,
        wanted,
    )?;
    let got: Vec<T> = page.into_iter().map(|entry| entry.value).collect();
    check::equal("P24", format!("{kind} values"), &got, &values)?;
    let one_by_one: Result<Vec<_>, _> = all_of(&stream, Query::new()).await.into_iter().collect();
    let got: Vec<T> = one_by_one?.into_iter().map(|entry| entry.value).collect();
    check::equal("P24", format!("{kind} values, one by one"), got, values)
}

/// A schema that the suite builds is refused.
#[track_caller]
pub(super) fn broken(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new("P24", what, "a schema", error.to_string())
}

/// An entry in an encoding that the stream does not read is an error that
/// names it, and the entry's place. Catches stores that lose the content type
/// and readers that try their luck.
pub(crate) async fn n08_content_type_mismatch<I: EntryId>(lab: &Lab<I>) -> Verdict {
    const OTHER: ContentType = ContentType::from_static("application/x-other");
    let store = lab.open().await?;
    let stream = name("n08");
    let sent = RawEntry::new(OTHER, 1, r#""readable as JSON, by luck""#);
    let receipts = append_one(&*store, &stream, sent).await?;
    let typed = store.stream::<String>(&stream);
    let call = typed.read(Query::new()).await;
    let decode = |k: &Kind| *k == Kind::Decode;
    let error = check::refused("P24", "another content type", call, "Decode", decode)?;
    tells_the_place(&error, &stream, &receipts[0].id, 1)?;
    let named = error.to_string().contains(OTHER.as_str());
    check::that(
        "P24",
        "the error of another content type",
        named,
        "its name",
        &error,
    )?;

    let raw = typed.read_raw(Query::new()).await?;
    let types: Vec<_> = raw.records.iter().map(|r| &r.entry.content_type).collect();
    check::equal(
        "P16",
        "the content type, without decoding",
        types,
        vec![&OTHER],
    )?;
    let receipt = typed.append("fine".to_owned()).await?;
    let page = all_pages(&typed, Query::new().after(receipts[0].id.clone())).await?;
    let got: Vec<_> = page.iter().map(|e| (e.version, e.value.as_str())).collect();
    check::equal("P24", "behind it", got, vec![(receipt.version, "fine")])?;
    Ok(Ran::Whole)
}

/// A typed entry tells the same as the record it was made of. Catches fields
/// that get lost between the layers.
pub(crate) async fn n09_facts_of_entries<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = store.stream::<u64>("n09");
    let full = NewEntry::new(1).order_key("order").dedup_key("dedup");
    let full = full
        .metadata("k", "v")
        .metadata("empty", "")
        .metadata("k", "w");
    let receipts = stream
        .append_all([full, NewEntry::new(2)])
        .expected(0)
        .await?;
    let page = all_pages(&stream, Query::new()).await?;
    let records = whole(&*store, &name("n09")).await?;
    check::equal("P24", "entries", page.len(), records.len())?;
    for ((entry, record), receipt) in page.iter().zip(&records).zip(&receipts) {
        let raw = &record.entry;
        let step = format!("version {}", record.version);
        check::equal(
            "P2",
            &step,
            (&entry.id, entry.version),
            (&receipt.id, receipt.version),
        )?;
        check::equal(
            "P2",
            &step,
            (&entry.id, entry.version),
            (&record.id, record.version),
        )?;
        check::equal("P16", &step, &entry.order_key, &raw.order_key)?;
        check::equal("P16", &step, &entry.dedup_key, &raw.dedup_key)?;
        check::equal("P16", &step, &entry.metadata, &raw.metadata)?;
        check::equal("P17", &step, entry.recorded_at, record.recorded_at)?;
    }
    let got: Vec<_> = page
        .iter()
        .map(|e| {
            (
                e.value,
                e.order_key.as_deref(),
                e.dedup_key.as_deref(),
                e.metadata.len(),
            )
        })
        .collect();
    let wanted = vec![(1, Some("order"), Some("dedup"), 2), (2, None, None, 0)];
    check::equal("P16", "what was given", got, wanted)?;
    let value = page.first().and_then(|e| e.metadata.get("k"));
    check::equal("P16", "the last value of a key", value, Some("w"))?;
    let again = stream.append(NewEntry::new(3).dedup_key("dedup")).await?;
    check::equal(
        "P9",
        "a repeat",
        (again.is_duplicate(), again.version),
        (true, 1),
    )?;
    check::equal("P9", "entries after a repeat", stream.count().await?, 2)?;
    Ok(Ran::Whole)
}
