//! Names, keys and metadata that look alike.

use ledger_core::{
    ContentType, EntryId, ListStreams, Metadata, PageEnd, Query, RawEntry, Store, StoreOrder,
    StreamName,
};

use super::comes_back;
use crate::case::{Failure, Ran, Verdict};
use crate::cases::e_dedup::{OLD, receipts_are};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, batch, everything, given, name, records, whole};

/// An entry that has the text wherever a text can be.
fn everywhere(text: &str) -> RawEntry {
    let metadata = [(text, text), ("value", text)];
    RawEntry::new(ContentType::BYTES, 1, text.to_owned())
        .with_order_key(text)
        .with_dedup_key(text)
        .with_metadata(metadata.into_iter().collect())
}

/// Each text is a stream, an order key, a dedup key and a key of metadata of
/// its own, and comes back exactly; also after the store was opened again.
async fn all_distinct<I: EntryId>(lab: &Lab<I>, texts: &[&str]) -> Verdict {
    let mut store = lab.open().await?;
    let keys = name("the keys of this case");
    let streams: Vec<StreamName> = texts.iter().map(|text| name(text)).collect();
    for (stream, text) in streams.iter().zip(texts) {
        for stream in [stream, &keys] {
            lab.step(format!("appending {text:?} to {stream:?}"));
            let receipts = append_one(&*store, stream, everywhere(text)).await?;
            let fresh = !receipts[0].is_duplicate();
            let step = format!("an append of {text:?} to {stream:?}");
            check::that("P16", step, fresh, "a new entry", &receipts)?;
        }
    }
    let together: Metadata = texts.iter().map(|text| (*text, *text)).collect();
    let together = RawEntry::new(ContentType::BYTES, 1, "together").with_metadata(together);
    append_one(&*store, &keys, together.clone()).await?;

    for round in 0..2 {
        lab.step(format!("reading, opened again: {}", round == 1));
        for (stream, text) in streams.iter().zip(texts) {
            let found = whole(&*store, stream).await?;
            let step = format!("the stream {text:?}");
            check::equal("P16", step, given(&found), vec![&everywhere(text)])?;
            let stat = store.stat(stream).await?;
            let last = stat.map(|stat| stat.last_version);
            check::equal("P16", format!("the state of {text:?}"), last, Some(1))?;
        }
        keys_are(&*store, &keys, texts, &together).await?;
        if lab.capabilities().list {
            names_are(&*store, &keys, &streams).await?;
        }
        if lab.capabilities().store_order != StoreOrder::None {
            let all = everything(&*store, 1000, false).await?;
            let mut named: Vec<_> = all.iter().filter(|found| found.stream != keys).collect();
            check::equal("P16", "entries of the store", named.len(), texts.len())?;
            named.retain(|found| found.record.entry.payload != found.stream.as_str());
            check::equal("P16", "entries under another name", named, vec![])?;
        }
        store.close().await?;
        store = lab.open().await?;
    }
    Ok(Ran::Whole)
}

async fn keys_are<I: EntryId>(
    store: &dyn Store<I>,
    stream: &StreamName,
    texts: &[&str],
    together: &RawEntry,
) -> Result<(), Failure> {
    let sent: Vec<_> = texts.iter().map(|text| everywhere(text)).collect();
    let receipts = store.append(stream, batch(&sent[..])).await?;
    let versions: Vec<_> = (1..=texts.len() as u64).map(|n| (n, OLD)).collect();
    receipts_are("the same keys again", &receipts, &versions)?;
    let found = whole(store, stream).await?;
    let stored: Vec<_> = sent.iter().chain([together]).collect();
    check::same_list("P16", "the stream of keys", &given(&found), &stored)?;
    for (text, sent) in texts.iter().zip(&sent) {
        let query = Query::new().order_key(*text);
        let found = records(store, stream, query, 10, false).await?;
        let step = format!("the order key {text:?}");
        check::equal("P16", step, given(&found), vec![sent])?;
    }
    Ok(())
}

async fn names_are<I: EntryId>(
    store: &dyn Store<I>,
    keys: &StreamName,
    streams: &[StreamName],
) -> Result<(), Failure> {
    let mut sorted = streams.to_vec();
    sorted.push(keys.clone());
    sorted.sort_by(|a, b| a.as_str().as_bytes().cmp(b.as_str().as_bytes()));
    let starts = [None].into_iter().chain(sorted.iter().cloned().map(Some));
    for (at, after) in starts.enumerate() {
        let step = format!("a list behind {after:?}");
        let request = ListStreams::new(after, 1000, store.limits())?;
        let found = store.list(&request).await?;
        let rest = &sorted[at..];
        let most = found.records.len().min(rest.len());
        check::same_list("P16", &step, &found.records, &rest[..most])?;
        let all = found.end == PageEnd::More && most > 0 || most == rest.len();
        check::that("P16", step, all, "the rest, or More", &found)?;
    }
    Ok(())
}

/// Texts that Unicode calls equivalent, or that a locale does, and texts from
/// the far ends of it are all different. Catches normalised names, collations,
/// and columns of three bytes a character.
pub(crate) async fn b04_unicode_names_distinct<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let texts = [
        "é",
        "e\u{301}",
        "e",
        "Å",
        "A\u{30a}",
        "\u{212b}",
        "ß",
        "ss",
        "ẞ",
        "SS",
        "İ",
        "I",
        "i",
        "ı",
        "i\u{307}",
        "ﬁ",
        "fi",
        "½",
        "1⁄2",
        "Ⅳ",
        "IV",
        "ａ",
        "a",
        "а",
        "한",
        "\u{1112}\u{1161}\u{11ab}",
        "q\u{323}\u{307}",
        "q\u{307}\u{323}",
        "שלום",
        "مرحبا",
        "\u{202e}abc",
        "abc",
        "\u{1F4D2}",
        "\u{1F468}\u{200d}\u{1F469}",
        "\u{1F468}\u{1F469}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10ffff}",
    ];
    all_distinct(lab, &texts).await
}

/// Upper and lower case differ as a stream, an order key, a dedup key, a key
/// of metadata and a content type. Catches collations that ignore case.
pub(crate) async fn b05_case_sensitive_everything<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let texts = [
        "order", "Order", "ORDER", "oRDER", "ordeR", "É", "é", "Σ", "σ", "ς", "K", "\u{212a}", "k",
        "Ω", "\u{2126}", "ω", "Ǆ", "ǅ", "ǆ", "Я", "я", "İ", "i", "I", "ı", "ſ", "s", "S",
    ];
    all_distinct(lab, &texts).await?;

    lab.step("content types");
    let types = [
        "text/plain",
        "Text/Plain",
        "TEXT/PLAIN",
        "Application/JSON",
        "application/json",
        "text/plain;charset=UTF-8",
        "text/plain;charset=utf-8",
    ];
    let mut sent = Vec::new();
    for text in types {
        sent.push(RawEntry::new(ContentType::parse(text)?, 1, "{}"));
    }
    comes_back(lab, "content types", &sent).await
}

/// White space before, after and between is part of a text, and a text may be
/// nothing else. Catches padded columns and trimmed input.
pub(crate) async fn b06_whitespace_preserved<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let texts = [
        "a",
        " a",
        "a ",
        "a  ",
        " a ",
        "  a",
        "\ta",
        "a\t",
        "\na",
        "a\n",
        "a\r\n",
        "a\r",
        "\u{b}a",
        "a\u{c}",
        "a\u{85}",
        "a\u{a0}",
        "\u{a0}a",
        "a\u{2003}",
        "a\u{200b}",
        "\u{200b}a",
        "a\u{3000}",
        "\u{feff}a",
        "a\u{feff}",
        "a b",
        "a  b",
        "a\tb",
        "a\nb",
        "a\u{a0}b",
        "ab",
        " ",
        "  ",
        "\t",
        "\n",
        "\u{a0}",
        "\u{3000}",
    ];
    all_distinct(lab, &texts).await
}

/// What means something in a pattern, in SQL, in JSON or in a path means
/// nothing in a text. Catches keys and names that are matched or spliced in.
pub(crate) async fn b07_like_and_regex_metachars<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let texts = [
        "ab",
        "a",
        "a%",
        "%",
        "%%",
        "a_",
        "_",
        "__",
        "a\\",
        "\\",
        "\\\\",
        "\\%",
        "a\\_",
        "\\n",
        "a*",
        "*",
        ".*",
        ".",
        "..",
        "a.",
        "a.b",
        "^a",
        "a$",
        "$",
        "$a",
        "^",
        "a?",
        "[ab]",
        "[a",
        "(a)",
        "(",
        "a|ab",
        "a+",
        "{a}",
        "'",
        "''",
        "\"",
        "\"\"",
        "`",
        ";",
        "' OR 1=1 --",
        "\"; DROP TABLE x; --",
        "--",
        "/*",
        "#",
        "?",
        "?1",
        "$1",
        ":a",
        "@a",
        "%s",
        "{}",
        "{\"$gt\":\"\"}",
        "$where",
        "a/b",
        "a//b",
        "../a",
        "&amp;",
        "<a>",
        "NULL",
        "null",
    ];
    all_distinct(lab, &texts).await
}
