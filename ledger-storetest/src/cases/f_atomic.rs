//! F: a batch is there as a whole or not at all.

use bytes::Bytes;
use ledger_core::{
    Batch, ContentType, EntryId, Kind, Limits, PageEnd, Query, RawEntry, StoreOrder,
};

use super::e_dedup::{keyed, mismatches};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::race::{Done, race, spawn};
use crate::sample::{append_one, batch, entries, given, name, page, whole};
use crate::tail::{Idle, StoreTail, Tail};

/// A bad entry at any place of a batch leaves nothing of it: one outside the
/// limits never gets as far as the store, and one that repeats a key with other
/// content, stored or of the batch, takes the others with it. Catches a kept
/// prefix and a kept rest.
pub(super) async fn f01_bad_entry_anywhere<I: EntryId>(lab: &Lab<I>) -> Verdict {
    const SIZE: usize = 10;
    let (store, other) = (lab.open().await?, lab.open().await?);
    let (stream, absent) = (name("f01"), name("f01-absent"));
    append_one(&*store, &stream, keyed("taken", 0, "taken")).await?;
    let before = (store.stat(&stream).await?, whole(&*store, &stream).await?);
    let good: Vec<_> = (0..SIZE as u64)
        .map(|n| keyed("f01", n, &format!("key {n}")))
        .collect();

    for at in 0..SIZE {
        lab.step(format!("a bad entry at {at}"));
        let mut sent = good.clone();
        sent[at].schema_version = 0;
        let call = Batch::new(sent, store.limits());
        let error = check::refused("P18", "a bad entry", call, "InvalidInput", |kind| {
            matches!(kind, Kind::InvalidInput { .. })
        })?;
        check::equal("P18", "which one", error.context_as("index"), Some(at))?;

        let mut sent = good.clone();
        sent[at] = keyed("other", 0, "taken");
        let sent = batch(sent).with_verified_duplicates(true);
        let step = format!("a mismatch at {at}");
        mismatches(step.clone(), store.append(&stream, sent).await, at, Some(1))?;

        if at > 0 {
            let mut sent = good.clone();
            sent[at] = keyed("other", 0, "key 0");
            let sent = batch(sent).with_verified_duplicates(true);
            mismatches(
                step.clone(),
                store.append(&stream, sent.clone()).await,
                at,
                None,
            )?;
            mismatches(step, store.append(&absent, sent).await, at, None)?;
        }
        for reader in [&store, &other] {
            let after = (
                reader.stat(&stream).await?,
                whole(&**reader, &stream).await?,
            );
            check::equal("P7", "the stream", &after, &before)?;
            check::equal("P7", "no stream", reader.stat(&absent).await?, None)?;
        }
    }
    let receipts = store.append(&stream, batch(good)).await?;
    check::equal("P9", "keys of refused batches", receipts.duplicates(), 0)?;
    let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
    check::equal("P1", "versions", versions, (2..2 + SIZE as u64).collect())?;
    Ok(Ran::Whole)
}

const LARGE: u64 = 500;

/// What a reader is given must always be a number of whole batches.
async fn look<I: EntryId>(tail: &mut Tail<I>) -> Result<(), Failure> {
    let whole_batches = |step: &str, count: u64| {
        let told = format!("a multiple of {LARGE}");
        check::that("P7", step, count.is_multiple_of(LARGE), told, count)
    };
    let (store, stream) = (tail.store.clone(), tail.stream.clone());
    let newest = page(&*store, &stream, Query::new().desc().limit(1)).await?;
    let version = newest.records.first().map_or(0, |record| record.version);
    whole_batches("the newest version", version)?;
    if let Some(stat) = store.stat(&stream).await? {
        whole_batches("the last version", stat.last_version)?;
        whole_batches("entries retained", stat.retained)?;
    }
    tail.catch_up().await?;
    whole_batches("entries read", tail.got.len() as u64)
}

/// While batches of 500 are appended, readers through both handles see each of
/// them wholly or not at all: in a page, in the state of the stream, and over
/// the whole store. Catches entries that are visible one by one, and an append
/// that is seen before it is committed.
pub(super) async fn f02_reader_never_sees_half<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let order = lab.capabilities().store_order;
    let streams = [name("f02"), name("f02-b")];
    let done = Done::default();
    let mut readers = Vec::new();
    for (store, size) in handles.iter().zip([10_000, 60]) {
        let (mut tail, done) = (Tail::new(store, &streams[0], size), done.clone());
        readers.push(spawn(async move {
            let mut idle = Idle::default();
            while !done.is_set() {
                look(&mut tail).await?;
                idle.after(PageEnd::CaughtUp).await;
            }
            look(&mut tail).await
        }));
    }
    let of_store = (order != StoreOrder::None).then(|| {
        let (store, done) = (handles[1].clone(), done.clone());
        spawn(async move {
            let mut tail = StoreTail::new(&store, 300);
            let mut idle = Idle::default();
            loop {
                let last = done.is_set();
                let end = tail.step().await?;
                if end == PageEnd::CaughtUp {
                    let told = format!("a multiple of {LARGE}");
                    let count = tail.got.len();
                    let fits = (count as u64).is_multiple_of(LARGE);
                    check::that("P7", "entries of the store", fits, told, count)?;
                    if last {
                        return Ok::<_, Failure>(count);
                    }
                }
                idle.after(end).await;
            }
        })
    });
    let batches = 4 * u64::from(lab.load);
    let writers = (0..3).map(|writer: usize| {
        let (store, stream) = (handles[writer % 2].clone(), streams[writer / 2].clone());
        async move {
            for n in 0..batches {
                let sent = batch(entries(&format!("writer {writer}, batch {n}"), LARGE));
                store.append(&stream, sent).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(())
        }
    });
    let written: Result<Vec<()>, Failure> = race(writers).await.into_iter().collect();
    done.set();
    for reader in readers {
        reader.join().await?;
    }
    let of_store = match of_store {
        Some(reader) => Some(reader.join().await?),
        None => None,
    };
    written?;
    let mut count = 0;
    for stream in &streams {
        let log = whole(&*handles[0], stream).await?;
        for part in log.chunks(LARGE as usize) {
            let tag = part[0].entry.metadata.get("tag").unwrap_or_default();
            let sent = entries(tag, LARGE);
            let sent: Vec<_> = sent.iter().collect();
            check::same_list("P7", format!("a batch of {tag}"), &given(part), &sent)?;
        }
        count += log.len();
    }
    let expected = (3 * batches * LARGE) as usize;
    check::equal("P4", "entries in all", count, expected)?;
    if let Some(of_store) = of_store {
        check::equal("P4", "entries read of the store", of_store, expected)?;
    }
    Ok(Ran::Whole)
}

/// The largest batches work: 10,000 entries, and 16 MiB; also with a key on
/// each entry, and repeated. Catches statements with too many parameters, and
/// messages above a limit of the protocol.
pub(super) async fn f03_large_batch<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let limits = *store.limits();
    let most = usize::try_from(limits.batch_entries).unwrap_or(usize::MAX);
    let stream = name("f03-many");
    let many: Vec<_> = (0..most as u64)
        .map(|n| {
            RawEntry::new(ContentType::BYTES, 1, n.to_le_bytes().to_vec())
                .with_dedup_key(n.to_string())
        })
        .collect();
    for (round, fresh) in [(0, most), (1, 0)] {
        lab.step(format!("{most} entries, round {round}"));
        let receipts = store.append(&stream, batch(&many[..])).await?;
        check::equal("P18", "entries stored", receipts.appended(), fresh)?;
        let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
        let expected: Vec<u64> = (1..=most as u64).collect();
        check::same_list("P7", "versions", &versions, &expected)?;
        let log = whole(&*store, &stream).await?;
        check::same_list(
            "P7",
            "the log",
            &given(&log),
            &many.iter().collect::<Vec<_>>(),
        )?;
    }

    lab.step("the most bytes");
    let stream = name("f03-much");
    let one = |len: u64, seed: u64| {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let mut payload = vec![0; len];
        // Nothing that a database could compress away.
        fastrand::Rng::with_seed(seed).fill(&mut payload);
        RawEntry::new(ContentType::BYTES, 1, Bytes::from(payload))
    };
    let around = one(0, 0).size() as u64;
    let largest = Limits::TABLE.payload.min(limits.batch_bytes / 2 - around);
    let mut sent = vec![one(largest, 1)];
    let left = limits.batch_bytes - sent[0].size() as u64;
    sent.push(one((left - 2 * around) / 2, 2));
    let left = left - sent[1].size() as u64;
    sent.push(one(left - around, 3));
    let bytes: usize = sent.iter().map(RawEntry::size).sum();
    check::equal(
        "P18",
        "bytes of the batch",
        bytes as u64,
        limits.batch_bytes,
    )?;
    store.append(&stream, batch(&sent[..])).await?;
    let log = whole(&*store, &stream).await?;
    check::equal("P7", "entries", log.len(), sent.len())?;
    for (record, sent) in log.iter().zip(&sent) {
        let same = record.entry == *sent;
        check::that(
            "P16",
            "a large payload",
            same,
            "as it was sent",
            record.version,
        )?;
    }
    Ok(Ran::Whole)
}

/// Large batches that race for one key in their middle: with verification one
/// is stored, and nothing of the others; without, the others are stored but for
/// that entry. Catches what was inserted before a violation.
pub(super) async fn f04_violation_in_the_middle<I: EntryId>(lab: &Lab<I>) -> Verdict {
    const SIZE: usize = 200;
    let handles = [lab.open().await?, lab.open().await?];
    let mut rng = lab.rng();
    let sent = |round: u64, task: usize, at: usize| {
        let mut sent = entries(&format!("{round}/{task}"), SIZE as u64);
        sent[at].dedup_key = Some("contended".to_owned());
        sent[SIZE - 1 - at].dedup_key = Some(format!("own {task}"));
        sent
    };
    for round in 0..4 * u64::from(lab.load) {
        let verify = round % 2 == 0;
        let stream = name(&format!("f04-{round}"));
        let places: Vec<usize> = (0..6).map(|_| rng.usize(SIZE / 2..SIZE)).collect();
        let outcomes = race(places.iter().enumerate().map(|(task, at)| {
            let (store, stream) = (handles[task % 2].clone(), stream.clone());
            let sent = batch(sent(round, task, *at)).with_verified_duplicates(verify);
            async move { store.append(&stream, sent).await }
        }))
        .await;

        let log = whole(&*handles[0], &stream).await?;
        let original = log
            .iter()
            .find(|r| r.entry.dedup_key.as_deref() == Some("contended"));
        let original = original.map(|r| (r.version, r.id.clone()));
        let mut expected = Vec::new();
        let mut winners = 0;
        for (task, (outcome, at)) in outcomes.into_iter().zip(&places).enumerate() {
            let mut sent = sent(round, task, *at);
            let receipts = match outcome {
                Ok(receipts) => receipts,
                lost if verify => {
                    let version = original.as_ref().map(|(version, _)| *version);
                    mismatches("a batch that lost", lost, *at, version)?;
                    continue;
                }
                Err(e) => return Err(e.into()),
            };
            let contended = (receipts[*at].version, receipts[*at].id.clone());
            check::equal("P9", "the original", Some(contended), original.clone())?;
            let first = receipts[0].version;
            if receipts[*at].is_duplicate() {
                sent.remove(*at);
            } else {
                winners += 1;
            }
            check::equal("P9", "entries stored", receipts.appended(), sent.len())?;
            expected.push((first, sent));
        }
        check::equal("P9", "batches that stored the key", winners, 1)?;
        let batches = if verify { 1 } else { places.len() };
        check::equal("P7", "batches stored", expected.len(), batches)?;
        expected.sort_by_key(|(first, _)| *first);
        let expected: Vec<_> = expected.iter().flat_map(|(_, sent)| sent).collect();
        check::same_list("P7", "the log", &given(&log), &expected)?;
    }
    Ok(Ran::Whole)
}

/// Batches that race for one stream do not interleave: each lies at contiguous
/// versions and growing ids, in its own order, where its receipts say. Catches
/// places that are given entry by entry.
pub(super) async fn f06_positions_of_batch<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("f06");
    let writers = (0..8_usize).map(|writer| {
        let (store, stream) = (handles[writer % 2].clone(), stream.clone());
        let batches = 6 * u64::from(lab.load);
        async move {
            let mut told = Vec::new();
            for n in 0..batches {
                let sent = entries(&format!("writer {writer}, batch {n}"), 2 + n * 7 % 31);
                let receipts = store.append(&stream, batch(sent.clone())).await?;
                check::equal("P7", "receipts", receipts.len(), sent.len())?;
                told.push((receipts, sent));
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(told)
        }
    });
    let told: Result<Vec<_>, Failure> = race(writers).await.into_iter().collect();
    let mut told: Vec<_> = told?.into_iter().flatten().collect();
    told.sort_by_key(|(receipts, _)| receipts[0].version);
    let expected: Vec<_> = told
        .into_iter()
        .flat_map(|(receipts, sent)| receipts.into_iter().zip(sent))
        .zip(1_u64..)
        .map(|((receipt, sent), version)| (version, (receipt.version, receipt.id, sent)))
        .collect();
    let log = whole(&*handles[1], &stream).await?;
    let stored: Vec<_> = log
        .into_iter()
        .map(|r| (r.version, (r.version, r.id, r.entry)))
        .collect();
    check::same_list("P7", "the batches one after the other", &stored, &expected)?;
    Ok(Ran::Whole)
}
