//! Metadata, and what is absent.

use ledger_core::{Batch, ContentType, EntryId, Limits, Metadata, Query, RawEntry, Rule};

use super::comes_back;
use crate::case::{Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{given, name, page};

fn with(metadata: Metadata) -> RawEntry {
    RawEntry::new(ContentType::JSON, 1, "{}").with_metadata(metadata)
}

/// Keys that a document store or a JSON path would take for something else
/// are keys like others, alone and all together, and so are values that look
/// like another type. Catches nested documents, reserved keys and typed
/// values.
pub(crate) async fn b08_metadata_keys_odd<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let keys = [
        "a",
        "a.b",
        "a.b.c",
        "a.",
        ".a",
        ".",
        "..",
        "$",
        "$set",
        "$a.b",
        "a$",
        "_id",
        "id",
        "__proto__",
        "[0]",
        "0",
        "00",
        "1",
        "-1",
        "null",
        "true",
        "a b",
        " ",
        "A",
        "é",
        "e\u{301}",
        "\u{1F4D2}",
        "\u{1}",
        "\t",
        "%",
        "'",
        "\"",
        "\\",
        "/",
        "a/b",
        ",",
        "=",
        "a=b",
        ":",
        "{}",
        "key",
        "value",
        "metadata",
    ];
    let values = [
        "",
        " ",
        "null",
        "true",
        "0",
        "01",
        "1.0",
        "1e5",
        "-0",
        "{}",
        "[]",
        "\"\"",
        "\"a\"",
        "\\",
        "a\nb",
        "$a",
        "\u{10ffff}",
    ];
    let mut sent = vec![with(keys.iter().map(|key| (*key, *key)).collect())];
    for (n, key) in keys.iter().enumerate() {
        sent.push(with(
            [(*key, values[n % values.len()])].into_iter().collect(),
        ));
    }
    for value in values {
        sent.push(with([("a", value), ("b", value)].into_iter().collect()));
    }
    for pair in keys.windows(2) {
        sent.push(with([(pair[1], "1"), (pair[0], "2")].into_iter().collect()));
    }
    sent.push(with(Metadata::new()));
    let empty_key = with([("", "value")].into_iter().collect());
    let call = Batch::new(vec![empty_key], &Limits::TABLE);
    check::invalid(call, "metadata key", Rule::AtLeastBytes, 1, 0)?;
    comes_back(lab, "b08", &sent).await
}

/// 64 pairs of 65,536 bytes together come back whole, and so do the longest
/// keys with the longest values; also after opening again. Catches metadata
/// that is cut.
pub(crate) async fn b09_metadata_full_size<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut rng = lab.rng();
    let mut noise = |bytes: usize| -> String {
        let noise = std::iter::repeat_with(|| rng.alphanumeric());
        noise.take(bytes).collect()
    };
    let mut even = Metadata::new();
    for n in 0..64 {
        even.set(format!("{n:02}{}", noise(22)), noise(1000));
    }
    let mut wide = Metadata::new();
    for n in 0..64 {
        wide.set(format!("{n:02}é"), "\u{1F4D2}".repeat(255));
    }
    let mut long = Metadata::new();
    for n in 0..7 {
        long.set(format!("{n}{}", noise(127)), noise(8192));
    }
    long.set("7".repeat(128), noise(65_536 - 7 * 8320 - 128));
    let sizes = [even.size(), wide.size(), long.size()];
    check::equal("P18", "sizes of samples", sizes, [65_536, 65_536, 65_536])?;
    let small: Metadata = (0..64).map(|n| (format!("{n}"), String::new())).collect();
    let sent = [even, wide, long, small, Metadata::new()].map(with);
    comes_back(lab, "b09", &sent).await
}

/// What is absent comes back absent, and what is empty comes back empty, for
/// keys, metadata and payloads. Catches NULL for "" and "" for NULL.
pub(crate) async fn b14_none_vs_empty<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut sent = Vec::new();
    for payload in ["", "null", "\"\"", "{}", "[]", " "] {
        for content_type in [ContentType::JSON, ContentType::BYTES] {
            sent.push(RawEntry::new(content_type, 1, payload));
        }
    }
    // Twice the same: without a key there are no repeats.
    sent.extend(sent.clone());
    let bare = sent[0].clone();
    for pairs in [&[("a", "")][..], &[("a", ""), ("b", "null")], &[("a", "a")]] {
        sent.push(bare.clone().with_metadata(pairs.iter().copied().collect()));
    }
    for (n, text) in ["null", "NULL", " ", "0", "-"].into_iter().enumerate() {
        sent.push(bare.clone().with_order_key(text));
        sent.push(bare.clone().with_dedup_key(text));
        let other = format!("other {n}");
        sent.push(bare.clone().with_order_key(text).with_dedup_key(other));
    }
    comes_back(lab, "b14", &sent).await?;

    lab.step("order keys, and entries without one");
    let store = lab.open().await?;
    for text in ["null", "NULL", " ", "0", "-"] {
        let found = page(&*store, &name("b14"), Query::new().order_key(text)).await?;
        let mut expected = sent.iter().collect::<Vec<_>>();
        expected.retain(|entry| entry.order_key.as_deref() == Some(text));
        let step = format!("the order key {text:?}");
        check::same_list("P16", step, &given(&found.records), &expected)?;
    }
    for (field, entry) in [
        ("order key", bare.clone().with_order_key("")),
        ("dedup key", bare.clone().with_dedup_key("")),
    ] {
        let call = Batch::new(vec![entry], &Limits::TABLE);
        check::invalid(call, field, Rule::AtLeastBytes, 1, 0)?;
    }
    Ok(Ran::Whole)
}
