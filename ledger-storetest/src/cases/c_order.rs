//! C: order depends on commits, not on handles or trims.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ledger_core::{
    AllQuery, EntryId, PageEnd, Query, ReadAll, StoreCursor, StoreOrder, StreamName,
};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab, unclaimed};
use crate::race::{Done, race, spawn};
use crate::sample::{append_one, batch, entries, entry, everything, name, records, whole};

/// An id is never given twice, also after the newest entries were trimmed and
/// the store was opened again: readers that stopped there see what follows.
/// Catches ids that are counted from what is retained.
pub(super) async fn c08_ids_not_reused_after_trim<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut store = lab.open().await?;
    let (stream, other) = (name("c08"), name("c08-other"));
    let order = lab.capabilities().store_order;
    append_one(&*store, &other, entry("other", 0)).await?;
    let mut last = None;
    let mut cursor = None;
    for round in 0..4 {
        let sent = entries(&format!("round {round}"), 3);
        let receipts = store.append(&stream, batch(sent)).await?;
        let growing = last.iter().chain(receipts.iter().map(|r| &r.id));
        check::that(
            "P2",
            format!("ids of round {round}"),
            growing.is_sorted_by(|a, b| a < b),
            format!("ids above {last:?}"),
            &receipts,
        )?;
        let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
        let first = 3 * round + 1;
        check::equal("P1", "versions", versions, (first..first + 3).collect())?;

        let appended = whole(&*store, &stream).await?;
        if let Some(last) = last {
            let got = records(&*store, &stream, Query::new().after(last), 2, false).await?;
            check::same_list("P3", "behind an id that was trimmed", &got, &appended)?;
        }
        if order != StoreOrder::None {
            let (got, next) = rest_of_store(&store, cursor, 100).await?;
            let ids: Vec<_> = receipts.iter().map(|r| r.id.clone()).collect();
            check::same_list("P3", "behind a store cursor", &ids_of(&stream, &got), &ids)?;
            cursor = Some(next);
        }
        last = receipts.last_id().cloned();

        let trimmed = match (&last, lab.capabilities().trim) {
            (Some(last), true) => store.trim(&stream, last).await?,
            (_, false) => return unclaimed("trim", store.trim(&stream, &receipts[0].id).await),
            (None, true) => 0,
        };
        check::equal("P19", "entries trimmed", trimmed, 3)?;
        store.close().await?;
        store = lab.open().await?;
    }
    Ok(Ran::Whole)
}

type Places<I> = Vec<(StreamName, I)>;

/// The streams and ids of what follows in the store, and the place behind it.
async fn rest_of_store<I: EntryId>(
    store: &Handle<I>,
    after: Option<StoreCursor>,
    size: usize,
) -> Result<(Places<I>, StoreCursor), Failure> {
    let mut query = AllQuery::new().limit(size);
    if let Some(cursor) = after {
        query = query.after(cursor);
    }
    let mut got = Vec::new();
    let mut seen = HashSet::new();
    loop {
        let read = ReadAll::new(query, store.limits())?;
        let found = store.read_all(&read).await?;
        for found in found.records {
            let place = (found.stream, found.record.id);
            let fresh = seen.insert(place.clone());
            check::that(
                "P3",
                "paging through the store",
                fresh,
                "each entry once",
                &place,
            )?;
            got.push(place);
        }
        match found.end {
            PageEnd::CaughtUp => return Ok((got, found.next)),
            PageEnd::More => {}
            PageEnd::Undecided => tokio::time::sleep(Duration::from_millis(2)).await,
        }
        query = AllQuery::new().limit(size).after(found.next);
    }
}

/// The ids that belong to a stream.
pub(super) fn ids_of<I: EntryId>(stream: &StreamName, log: &[(StreamName, I)]) -> Vec<I> {
    let of_stream = log.iter().filter(|(of, _)| of == stream);
    of_stream.map(|(_, id)| id.clone()).collect()
}

/// Two handles that append in turns: the stream, and the store where it has
/// one order, are in the order of the appends. Catches ids that a handle
/// reserves ahead, or makes from its own clock and chance.
pub(super) async fn c09_order_across_handles<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let mut rng = lab.rng();
    let streams = [name("c09"), name("c09-b")];
    let mut log = Vec::new();
    for n in 0..120 {
        let stream = &streams[rng.usize(..2)];
        let receipts = append_one(&*handles[n % 2], stream, entry("c09", n as u64)).await?;
        log.push((stream.clone(), receipts[0].id.clone()));
    }
    for reader in &handles {
        for stream in &streams {
            let records = whole(&**reader, stream).await?;
            let ids: Vec<_> = records.into_iter().map(|r| r.id).collect();
            let step = format!("stream {stream}");
            check::same_list("P6", step, &ids, &ids_of(stream, &log))?;
        }
        if lab.capabilities().store_order == StoreOrder::Total {
            let (got, _) = rest_of_store(reader, None, 17).await?;
            check::same_list("P6", "the whole store", &got, &log)?;
        }
    }
    Ok(Ran::Whole)
}

/// Paging backwards while others append gives what was there at some moment
/// after the start, without repeats. Catches pages that move under the reader.
pub(super) async fn c12_desc_paging_under_appends<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("c12");
    let order = lab.capabilities().store_order;
    handles[0]
        .append(&stream, batch(entries("before", 60)))
        .await?;
    let done = Done::default();
    let reader = spawn({
        let (store, stream, done) = (handles[1].clone(), stream.clone(), done.clone());
        async move {
            let (mut readings, mut of_store) = (Vec::new(), Vec::new());
            while !done.is_set() && readings.len() < 200 {
                let acked = store
                    .stat(&stream)
                    .await?
                    .map_or(0, |stat| stat.last_version);
                readings.push((
                    acked,
                    records(&*store, &stream, Query::new(), 7, true).await?,
                ));
                if order == StoreOrder::Total {
                    of_store.push(everything(&*store, 7, true).await?);
                }
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>((readings, of_store))
        }
    });
    let writers = (0..3).map(|writer| {
        let (store, stream) = (handles[writer % 2].clone(), stream.clone());
        let appends = 20 * lab.load as u64;
        async move {
            for n in 0..appends {
                let sent = entries(&format!("writer {writer}, {n}"), 1 + n % 4);
                store.append(&stream, batch(sent)).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(())
        }
    });
    let written: Result<Vec<()>, Failure> = race(writers).await.into_iter().collect();
    done.set();
    let (readings, of_store) = reader.join().await?;
    written?;

    let log = whole(&*handles[0], &stream).await?;
    for (acked, mut reading) in readings {
        reading.reverse();
        let at_least = usize::try_from(acked).unwrap_or(usize::MAX);
        let long = (at_least..=log.len()).contains(&reading.len());
        let expected = format!("{acked} to {} entries", log.len());
        check::that("P4", "a reading backwards", long, expected, reading.len())?;
        check::same_list("P3", "a reading backwards", &reading, &log[..reading.len()])?;
    }
    let log = match order {
        StoreOrder::Total => everything(&*handles[0], 1000, false).await?,
        _ => Vec::new(),
    };
    for mut reading in of_store {
        reading.reverse();
        let start = &log[..reading.len().min(log.len())];
        check::same_list("P3", "a reading of the store backwards", &reading, start)?;
    }
    Ok(Ran::Whole)
}

/// A reader that starts at the head of the store is given each later entry,
/// and only those. Catches a head that is the beginning, or ahead.
pub(super) async fn c13_store_head<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let (store, other) = (lab.open().await?, lab.open().await?);
    let order = lab.capabilities().store_order;
    if order == StoreOrder::None {
        return unclaimed("store_head", store.store_head().await);
    }
    for round in 0..4 {
        lab.step(format!("round {round}: the head"));
        let mut head = store.store_head().await?;
        // Nothing is being appended: the settled end comes to be the end.
        let until = Instant::now() + Duration::from_secs(5);
        while let (open, _) = rest_of_store(&store, Some(head.clone()), 100).await?
            && !open.is_empty()
        {
            let step = "the head of a store at rest";
            check::that("P3", step, Instant::now() < until, "the end", &open)?;
            tokio::time::sleep(Duration::from_millis(2)).await;
            head = store.store_head().await?;
        }
        let mut acked = Vec::new();
        for n in 0..7 {
            let stream = name(["c13", "c13-b"][n % 2]);
            let sent = entries(&format!("{round} {n}"), 2);
            let receipts = other.append(&stream, batch(sent)).await?;
            acked.extend(receipts.into_iter().map(|r| (stream.clone(), r.id)));
        }
        let (mut got, _) = rest_of_store(&store, Some(head), 3).await?;
        if order == StoreOrder::PerStream {
            got.sort_by(|a, b| a.0.cmp(&b.0));
            acked.sort_by(|a, b| a.0.cmp(&b.0));
        }
        check::same_list(
            "P3",
            format!("behind the head of round {round}"),
            &got,
            &acked,
        )?;
    }
    Ok(Ran::Whole)
}
