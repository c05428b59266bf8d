//! Which names are refused, and which are not.

use ledger_core::{EntryId, ListStreams, Query, RawEntry, Rule, StoreExt, StreamName};

use crate::case::{Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, entry, given, name, page, whole};

/// Names and keys of 512 bytes work whatever is in them, and differ if only
/// their last byte differs. Catches indexes whose limit depends on how well a
/// name compresses, counted characters, and cut names.
pub(crate) async fn g02_long_names_whatever_they_hold<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let mut rng = lab.rng();
    let noise: String = (0..511).map(|_| rng.alphanumeric()).collect();
    let wide: String = std::iter::repeat_with(|| rng.char('\u{10000}'..='\u{10FFFF}'))
        .take(127)
        .collect();
    let mut texts = vec!["a".repeat(512), "é".repeat(256), format!("{wide}abcd")];
    for last in ["x", "y", "X"] {
        texts.push(format!("{noise}{last}"));
        texts.push(format!("{}{last}", "a".repeat(511)));
    }
    for (n, text) in (0..).zip(&texts) {
        lab.step(format!("a name of {} bytes", text.len()));
        check::equal("P18", "the length of a sample", text.len(), 512)?;
        let sent = entry("g02", n)
            .with_order_key(text.clone())
            .with_dedup_key(text.clone());
        append_one(&*store, &name(text), sent).await?;
    }
    for (n, text) in (0..).zip(&texts) {
        let sent = entry("g02", n)
            .with_order_key(text.clone())
            .with_dedup_key(text.clone());
        let step = format!("the stream named {text:?}");
        let found = whole(&*store, &name(text)).await?;
        check::equal("P16", step, given(&found), vec![&sent])?;
    }

    lab.step("keys of 512 bytes in one stream");
    let stream = name("g02-keys");
    let keyed = |n: u64, text: &String| {
        entry("g02-keys", n)
            .with_order_key(text.clone())
            .with_dedup_key(text.clone())
    };
    for (n, text) in (0..).zip(&texts) {
        let receipts = append_one(&*store, &stream, keyed(n, text)).await?;
        let fresh = !receipts[0].is_duplicate();
        check::that(
            "P16",
            format!("the dedup key {text:?}"),
            fresh,
            "a new key",
            &receipts,
        )?;
    }
    for (n, text) in (0..).zip(&texts) {
        let found = page(&*store, &stream, Query::new().order_key(text.clone())).await?;
        let step = format!("the order key {text:?}");
        check::equal("P16", step, given(&found.records), vec![&keyed(n, text)])?;
        let again = append_one(&*store, &stream, keyed(n, text)).await?;
        let repeat = again[0].is_duplicate() && again[0].version == n + 1;
        let expected = format!("a duplicate of version {}", n + 1);
        check::that("P9", "a repeated dedup key", repeat, expected, &again)?;
    }
    Ok(Ran::Whole)
}

/// Empty names, names with U+0000 and names above 512 bytes are refused, by
/// every call of a stream and without effect; all other names are good.
/// Catches stores that trim, refuse or interpret odd names.
pub(crate) async fn g04_names_refused<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let bad = [
        (String::new(), Rule::AtLeastBytes, 1, 0),
        ("\0".to_owned(), Rule::NoNul, 0, 0),
        ("a\0".to_owned(), Rule::NoNul, 0, 0),
        ("a".repeat(513), Rule::AtMostBytes, 512, 513),
        ("é".repeat(256) + "e", Rule::AtMostBytes, 512, 513),
    ];
    for (text, rule, limit, actual) in bad {
        lab.step(format!("the name {text:?}"));
        let field = "stream name";
        check::invalid(StreamName::new(&text), field, rule, limit, actual)?;
        let stream = store.stream::<String>(text);
        let call = stream.append("never".to_owned()).await;
        check::invalid(call, field, rule, limit, actual)?;
        let call = stream.read(Query::new()).await;
        check::invalid(call, field, rule, limit, actual)?;
        check::invalid(stream.stat().await, field, rule, limit, actual)?;
    }
    if lab.capabilities().list {
        let listed = store
            .list(&ListStreams::new(None, 10, store.limits())?)
            .await?;
        check::equal("P18", "streams after refused names", listed.records, vec![])?;
    }

    let good = [
        " ",
        "  ",
        " a",
        "a ",
        "\t",
        "a\n",
        "\u{a0}",
        ".",
        "..",
        "/",
        "a/b",
        "\\",
        "a\\",
        "'",
        "\"",
        "`",
        ";",
        "--",
        "%",
        "_",
        "*",
        "?",
        "$",
        "$a",
        "a.b",
        "{}",
        "[]",
        "NULL",
        "null",
        "\u{1}",
        "\u{7f}",
        "\u{feff}",
        "\u{200b}a",
        "a",
        "\u{fffd}",
        "\u{10ffff}",
        "system.indexes",
    ];
    let sent = |n: usize| -> RawEntry { entry("g04", n as u64) };
    for (n, text) in good.iter().enumerate() {
        lab.step(format!("the name {text:?}"));
        let receipts = append_one(&*store, &name(text), sent(n)).await?;
        let step = format!("the first version of the stream named {text:?}");
        check::equal("P16", step, receipts[0].version, 1)?;
    }
    for (n, text) in good.iter().enumerate() {
        let found = whole(&*store, &name(text)).await?;
        let step = format!("the stream named {text:?}");
        check::equal("P16", step, given(&found), vec![&sent(n)])?;
    }
    Ok(Ran::Whole)
}
