//! E: dedup keys.

use std::fmt::Debug;

use bytes::Bytes;
use ledger_core::{
    Batch, ContentType, EntryId, Kind, Limits, Metadata, RawEntry, Receipt, Receipts,
    Result as CoreResult, Rule, Status,
};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::race::race;
use crate::sample::{append_one, batch, entry, name, whole};

/// An entry like no other, with a dedup key.
pub(super) fn keyed(tag: &str, n: u64, key: &str) -> RawEntry {
    entry(tag, n).with_dedup_key(key)
}

/// The receipts say this of each entry: its version, and whether it is a
/// duplicate.
#[track_caller]
pub(super) fn receipts_are<I: Debug>(
    step: impl Into<String>,
    receipts: &Receipts<I>,
    expected: &[(u64, Status)],
) -> Result<(), Failure> {
    let got: Vec<_> = receipts.iter().map(|r| (r.version, r.status)).collect();
    check::same_list("P9", step, &got, expected)
}

/// What is sent, and the receipts that have to come of it.
pub(super) type Form = (Vec<RawEntry>, Vec<(u64, Status)>);

pub(super) const NEW: Status = Status::Appended;
pub(super) const OLD: Status = Status::Duplicate;

/// Every receipt names the entry with its version, and the log is what was
/// kept.
pub(super) async fn log_is<I: EntryId>(
    store: &Handle<I>,
    stream: &ledger_core::StreamName,
    receipts: &[Receipt<I>],
    kept: &[RawEntry],
) -> Result<(), Failure> {
    let log = whole(&**store, stream).await?;
    let stored: Vec<_> = log.iter().map(|r| r.entry.clone()).collect();
    check::same_list("P9", "the log", &stored, kept)?;
    for receipt in receipts {
        let named = log.iter().find(|r| r.version == receipt.version);
        let id = named.map(|r| &r.id);
        check::equal("P9", "the id in a receipt", Some(&receipt.id), id)?;
    }
    Ok(())
}

/// An append with a key that is there stores nothing and names the original,
/// also much later and through another handle. Catches a repeat that is stored
/// and hidden, and one that names a place of its own.
pub(super) async fn e01_repeat_returns_original<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("e01");
    append_one(&*handles[0], &stream, entry("before", 0)).await?;
    let original = append_one(&*handles[0], &stream, keyed("e01", 0, "evt-1")).await?;
    receipts_are("the original", &original, &[(2, NEW)])?;
    let mut kept = vec![entry("before", 0), keyed("e01", 0, "evt-1")];
    for n in 0..5 {
        for store in &handles {
            let repeat = append_one(&**store, &stream, keyed("e01", 0, "evt-1")).await?;
            receipts_are("a repeat", &repeat, &[(2, OLD)])?;
            check::equal("P9", "the id of a repeat", &repeat[0].id, &original[0].id)?;
            check::equal("P9", "entries told as stored", repeat.appended(), 0)?;
            log_is(store, &stream, &repeat, &kept).await?;
        }
        append_one(&*handles[0], &stream, entry("between", n)).await?;
        kept.push(entry("between", n));
    }
    let stat = handles[1].stat(&stream).await?;
    check::equal(
        "P1",
        "the version",
        stat.map(|s| (s.last_version, s.retained)),
        Some((7, 7)),
    )?;
    Ok(Ran::Whole)
}

/// 32 appends with the same key at the same time store one entry, and all are
/// told its place. Catches a look before the write outside its transaction.
pub(super) async fn e02_concurrent_same_key<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("e02");
    for round in 0..6 * u64::from(lab.load) {
        let key = format!("round {round}");
        let outcomes = race((0..32).map(|task| {
            let (store, stream) = (handles[task as usize % 2].clone(), stream.clone());
            let sent = keyed(&key, task, &key);
            async move { append_one(&*store, &stream, sent).await }
        }))
        .await;
        let mut places = Vec::new();
        let mut winners = Vec::new();
        for (task, outcome) in outcomes.into_iter().enumerate() {
            let receipts = outcome?;
            check::equal("P9", "receipts", receipts.len(), 1)?;
            if !receipts[0].is_duplicate() {
                winners.push(task as u64);
            }
            places.push((receipts[0].version, receipts[0].id.clone()));
        }
        let log = whole(&*handles[0], &stream).await?;
        check::equal("P9", "entries after the round", log.len() as u64, round + 1)?;
        let last = log[round as usize].clone();
        check::equal("P9", "who was told to have stored it", winners.len(), 1)?;
        check::equal(
            "P9",
            "what is stored",
            last.entry,
            keyed(&key, winners[0], &key),
        )?;
        check::same_list(
            "P9",
            "the places told",
            &places,
            &vec![(last.version, last.id); 32],
        )?;
    }
    Ok(Ran::Whole)
}

/// The same key in another stream is another key. Catches an index without the
/// stream.
pub(super) async fn e03_scope_is_the_stream<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    // Pairs that run into each other if stream and key are put together.
    let pairs = [
        ("e03", "a"),
        ("e03-b", "a"),
        ("e03a", "e03"),
        ("e0", "3a"),
        ("e03", "-ba"),
    ];
    for (n, (stream, key)) in (0..).zip(pairs) {
        let receipts = append_one(&*store, &name(stream), keyed("e03", n, key)).await?;
        let step = format!("key {key:?} in stream {stream:?}");
        check::equal("P9", step, receipts.duplicates(), 0)?;
    }
    for (n, (stream, key)) in (10..).zip(pairs) {
        let receipts = append_one(&*store, &name(stream), keyed("e03", n, key)).await?;
        check::equal("P9", "a repeat", receipts.duplicates(), 1)?;
    }
    let log: Vec<_> = whole(&*store, &name("e03"))
        .await?
        .into_iter()
        .map(|r| r.entry)
        .collect();
    check::same_list(
        "P9",
        "the log",
        &log,
        &[keyed("e03", 0, "a"), keyed("e03", 4, "-ba")],
    )?;
    Ok(Ran::Whole)
}

/// The call is refused since an entry of the batch repeats a key with other
/// content.
#[track_caller]
pub(super) fn mismatches<T: Debug>(
    step: impl Into<String>,
    call: CoreResult<T>,
    index: usize,
    original: Option<u64>,
) -> Result<(), Failure> {
    let expected = Kind::DedupMismatch { index, original };
    let told = format!("{expected:?}");
    check::refused("P9", step, call, &told, |kind| *kind == expected).map(drop)
}

/// A repeat with other content is a duplicate, and the original stays; where
/// verification is asked for it is a mismatch and nothing is stored. Only
/// payload bytes, content type and schema version are compared. Catches a
/// silent drop, an overwrite, and a comparison of metadata.
pub(super) async fn e04_content_mismatch<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("e04");
    append_one(&*store, &stream, entry("before", 0)).await?;
    let original = keyed("e04", 1, "k").with_order_key("customer");
    append_one(&*store, &stream, original.clone()).await?;
    let kept = [entry("before", 0), original.clone()];

    let mut same = vec![original.clone(); 4];
    same[0].order_key = None;
    same[1].order_key = Some("another".to_owned());
    same[2].metadata = Metadata::new();

    let mut different = vec![original.clone(); 6];
    different[0].payload = Bytes::new();
    different[1].payload = original.payload.slice(1..);
    different[2].payload = [&original.payload[..], b" "].concat().into();
    different[3].content_type = ContentType::BYTES;
    different[4].schema_version = 1;
    different[5].schema_version = i32::MAX as u32;

    for sent in same.iter().chain(&different) {
        let receipts = append_one(&*store, &stream, sent.clone()).await?;
        receipts_are("a repeat, not verified", &receipts, &[(2, OLD)])?;
    }
    for sent in same {
        let sent = batch([sent]).with_verified_duplicates(true);
        let receipts = store.append(&stream, sent).await?;
        receipts_are(
            "a repeat with other keys or metadata",
            &receipts,
            &[(2, OLD)],
        )?;
    }
    for sent in different {
        let step = format!("verifying {sent:?}");
        let around = [entry("never", 0), sent, keyed("never", 1, "fresh")];
        let sent = batch(around).with_verified_duplicates(true);
        let call = store.append(&stream, sent.clone()).await;
        mismatches(step.clone(), call, 1, Some(2))?;
        // A mismatch is told before a conflict.
        let call = store.append(&stream, sent.with_expected(99)).await;
        mismatches(step, call, 1, Some(2))?;
    }
    log_is(&store, &stream, &[], &kept).await?;
    let receipts = append_one(&*store, &stream, keyed("e04", 2, "fresh")).await?;
    receipts_are("a key of a refused batch", &receipts, &[(3, NEW)])?;
    Ok(Ran::Whole)
}

/// The entries that are stored.
pub(super) fn fresh(sent: &[RawEntry], expected: &[(u64, Status)]) -> Vec<RawEntry> {
    let stored = sent
        .iter()
        .zip(expected)
        .filter(|(_, (_, status))| *status == NEW);
    stored.map(|(entry, _)| entry.clone()).collect()
}

/// Keys that repeat inside one batch: the first is stored, the others name it,
/// and versions have no gap. With verification, one with other content refuses
/// the batch. Catches two rows for one key in one statement.
pub(super) async fn e05_in_batch_repeat<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let (a, b) = (|n| keyed("a", n, "a"), |n| keyed("b", n, "b"));
    let plain = |n| entry("plain", n);
    let forms: [Form; 4] = [
        (vec![a(0), a(0)], vec![(1, NEW), (1, OLD)]),
        (vec![a(0), b(0), a(1)], vec![(1, NEW), (2, NEW), (1, OLD)]),
        (
            vec![plain(0), a(0), a(1), plain(1), b(0), a(2), b(1), plain(2)],
            vec![
                (1, NEW),
                (2, NEW),
                (2, OLD),
                (3, NEW),
                (4, NEW),
                (2, OLD),
                (4, OLD),
                (5, NEW),
            ],
        ),
        (vec![b(0); 50], {
            let mut expected = vec![(1, OLD); 50];
            expected[0].1 = NEW;
            expected
        }),
    ];
    for (n, (sent, expected)) in forms.into_iter().enumerate() {
        let stream = name(&format!("e05-{n}"));
        let receipts = store.append(&stream, batch(sent.clone())).await?;
        receipts_are(format!("form {n}"), &receipts, &expected)?;
        let kept = fresh(&sent, &expected);
        log_is(&store, &stream, &receipts, &kept).await?;

        let (again, expected): (Vec<_>, Vec<_>) = sent
            .into_iter()
            .zip(expected)
            .filter(|(entry, _)| entry.dedup_key.is_some())
            .map(|(entry, (version, _))| (entry, (version, OLD)))
            .unzip();
        let receipts = store.append(&stream, batch(again)).await?;
        receipts_are(format!("form {n} again"), &receipts, &expected)?;
        log_is(&store, &stream, &receipts, &kept).await?;
    }

    let stream = name("e05-verified");
    let sent = batch([plain(0), a(0), b(0), a(0), b(1)]).with_verified_duplicates(true);
    for sent in [sent.clone(), sent.with_expected(7)] {
        mismatches(
            "other content in the batch",
            store.append(&stream, sent).await,
            4,
            None,
        )?;
        check::equal("P9", "the stream", store.stat(&stream).await?, None)?;
    }
    let sent = batch([a(0), plain(0), a(0)]).with_verified_duplicates(true);
    let receipts = store.append(&stream, sent).await?;
    receipts_are(
        "the same content in the batch",
        &receipts,
        &[(1, NEW), (2, NEW), (1, OLD)],
    )?;
    Ok(Ran::Whole)
}

/// Entries without a key are never taken for duplicates, however alike, and
/// keys that differ in anything are different keys; an empty key is refused.
/// Catches an absent key that is one, and another violation counted as a
/// duplicate.
pub(super) async fn e10_no_key_never_dedups<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("e10");
    let mut kept = Vec::new();
    for verify in [false, true] {
        let alike = vec![entry("e10", 0).with_order_key("o"); 20];
        for sent in [alike.clone(), alike[..1].to_vec(), alike[..1].to_vec()] {
            let receipts = store
                .append(
                    &stream,
                    batch(sent.clone()).with_verified_duplicates(verify),
                )
                .await?;
            check::equal("P9", "entries alike", receipts.duplicates(), 0)?;
            kept.extend(sent);
        }
    }
    let keys = [
        "o", "O", "o ", " o", "oo", "\u{e9}", "e\u{301}", "0", "null", "None", "''",
    ];
    for (n, key) in (1..).zip(keys) {
        let sent = keyed("e10", n, key).with_order_key("o");
        let receipts = append_one(&*store, &stream, sent.clone()).await?;
        check::equal("P9", format!("the key {key:?}"), receipts.duplicates(), 0)?;
        kept.push(sent);
    }
    log_is(&store, &stream, &[], &kept).await?;

    let call = Batch::new(vec![keyed("e10", 0, "")], &Limits::TABLE);
    let expected = Kind::InvalidInput {
        field: "dedup key",
        rule: Rule::AtLeastBytes,
        limit: 1,
        actual: 0,
    };
    let told = format!("{expected:?}");
    check::refused("P9", "an empty key", call, &told, |kind| *kind == expected)?;
    Ok(Ran::Whole)
}
