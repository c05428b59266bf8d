//! C: cursors.

use ledger_core::{AllQuery, EntryId, Kind, Query, ReadAll, StoreCursor, StoreOrder, StorePage};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab, unclaimed};
use crate::sample::{append_one, batch, entries, entry, everything, name, page, records, whole};
use crate::tail::{StoreTail, same_log};

/// Pages of every size put together are the whole log without overlap, in both
/// directions, by stream and over the whole store. Catches an inclusive cursor
/// and one that skips an entry at the border of a page.
pub(super) async fn c01_cursor_exclusive_and_total<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("c01");
    let mut sent = Vec::new();
    for n in 0..21 {
        let new = entries(&format!("c01-{n}"), 1 + n % 9);
        store.append(&stream, batch(new.clone())).await?;
        sent.extend(new);
        append_one(&*store, &name("c01-beside"), entry("beside", n)).await?;
    }
    let log = whole(&*store, &stream).await?;
    let stored: Vec<_> = log.iter().map(|record| &record.entry).collect();
    check::same_list("P7", "the log", &stored, &sent.iter().collect::<Vec<_>>())?;
    let newest_first: Vec<_> = log.iter().rev().cloned().collect();
    for size in [1, 2, 3, 7, 100] {
        let step = |way: &str| format!("{way} by pages of {size}");
        let got = records(&*store, &stream, Query::new(), size, false).await?;
        check::same_list("P3", step("forwards"), &got, &log)?;
        let got = records(&*store, &stream, Query::new(), size, true).await?;
        check::same_list("P3", step("backwards"), &got, &newest_first)?;
    }

    let order = lab.capabilities().store_order;
    if order != StoreOrder::None {
        let log = everything(&*store, 10_000, false).await?;
        check::equal("P3", "the whole store", log.len(), sent.len() + 21)?;
        for size in [1, 2, 3, 7, 100] {
            let got = everything(&*store, size, false).await?;
            let step = format!("the whole store by pages of {size}");
            same_log("P3", &step, order, &got, &log)?;
        }
    }
    Ok(Ran::Whole)
}

async fn read_behind<I: EntryId>(
    store: &Handle<I>,
    cursor: &StoreCursor,
    desc: bool,
) -> ledger_core::Result<StorePage<I>> {
    let query = AllQuery::new().after(cursor.clone());
    let query = if desc { query.desc() } else { query };
    store.read_all(&ReadAll::new(query, store.limits())?).await
}

async fn is_refused<I: EntryId>(
    store: &Handle<I>,
    what: &str,
    cursor: &StoreCursor,
    desc: bool,
) -> Result<(), Failure> {
    let call = read_behind(store, cursor, desc).await;
    check::refused("P3", what, call, "InvalidCursor", |kind| {
        matches!(kind, Kind::InvalidCursor)
    })
    .map(drop)
}

/// A store cursor goes on after a way through text, JSON and another handle;
/// garbage, a damaged one, another store's, one of the other direction and one
/// ahead of the store are refused. Catches a cursor that stands for the
/// beginning when it is not understood.
pub(super) async fn c02_store_cursor_roundtrip<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let order = lab.capabilities().store_order;
    if order == StoreOrder::None {
        return unclaimed("store_head", store.store_head().await);
    }
    for n in 0..6 {
        let stream = name(["c02", "c02-b"][n % 2]);
        store
            .append(&stream, batch(entries(&format!("{n}"), 3)))
            .await?;
    }
    let log = everything(&*store, 100, false).await?;
    check::equal("P7", "the log", log.len(), 18)?;

    lab.step("going on from stored cursors");
    let second = lab.open().await?;
    let mut tail = StoreTail::new(&store, 2);
    let mut cursors = Vec::new();
    while tail.got.len() < log.len() {
        tail.step().await?;
        let cursor = tail.cursor().cloned();
        let Some(cursor) = cursor.filter(|c| cursors.last() != Some(c)) else {
            continue;
        };
        for copy in copies(&cursor)? {
            let mut again = StoreTail::new(&second, 100).behind(copy, &tail.got);
            again.catch_up().await?;
            same_log("P3", "going on from a copy", order, &again.got, &log)?;
        }
        cursors.push(cursor);
    }

    lab.step("damaged cursors");
    let mut rng = lab.rng();
    for cursor in &cursors {
        let bytes = cursor.as_bytes();
        for len in 0..bytes.len() {
            let cut = StoreCursor::from_bytes(bytes[..len].to_vec());
            is_refused(&store, &format!("{len} bytes of a cursor"), &cut, false).await?;
        }
        let mut longer = bytes.to_vec();
        longer.push(rng.u8(..));
        let longer = StoreCursor::from_bytes(longer);
        is_refused(&store, "a cursor and one byte more", &longer, false).await?;
        for at in 0..bytes.len() {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << rng.u8(..8);
            let flipped = StoreCursor::from_bytes(flipped);
            let what = format!("a cursor with a bit of byte {at} flipped");
            is_refused(&store, &what, &flipped, false).await?;
        }
    }
    for garbage in [&b"7"[..], b"0", &[0; 31], &[0xFF; 64]] {
        let cursor = StoreCursor::from_bytes(garbage.to_vec());
        is_refused(&store, "garbage", &cursor, false).await?;
    }
    for text in ["no cursor", "*", "AAA=", "\u{e9}"] {
        let parsed = text.parse::<StoreCursor>();
        check::refused(
            "P3",
            format!("the text {text:?}"),
            parsed,
            "InvalidCursor",
            |kind| matches!(kind, Kind::InvalidCursor),
        )?;
    }
    let ahead = ahead_of(lab, &store)?;
    if let Some(ahead) = ahead {
        is_refused(&store, "a cursor ahead of the store", &ahead, false).await?;
    }
    another_place_and_direction(lab, &store, &cursors).await?;

    let after = everything(&*store, 5, false).await?;
    same_log("P5", "the log after all that", order, &after, &log)?;
    Ok(Ran::Whole)
}

/// The cursor itself, and as it comes back from text and from JSON.
fn copies(cursor: &StoreCursor) -> Result<[StoreCursor; 3], Failure> {
    let json = |e: serde_json::Error| Failure::new("P16", "JSON", "Ok", e.to_string());
    let written = serde_json::to_string(cursor).map_err(json)?;
    let copies = [
        cursor.clone(),
        cursor.to_string().parse()?,
        serde_json::from_str(&written).map_err(json)?,
    ];
    for copy in &copies {
        check::equal("P16", "a copy of a cursor", copy, cursor)?;
    }
    Ok(copies)
}

/// A cursor behind an entry that was not appended yet, unless the store
/// refuses to make one.
fn ahead_of<I: EntryId>(lab: &Lab<I>, store: &Handle<I>) -> Result<Option<StoreCursor>, Failure> {
    let Some(future) = lab.future_id() else {
        return Ok(None);
    };
    let read = ReadAll::new(AllQuery::new(), store.limits())?;
    match store.cursor_after(&read, &[(name("c02"), future)]) {
        Ok(cursor) => Ok(Some(cursor)),
        Err(e) if matches!(e.kind(), Kind::InvalidCursor) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

async fn another_place_and_direction<I: EntryId>(
    lab: &Lab<I>,
    store: &Handle<I>,
    cursors: &[StoreCursor],
) -> Result<(), Failure> {
    lab.step("cursors of another store");
    let another = lab.another().await?;
    let elsewhere = another.open().await?;
    for n in 0..18 {
        append_one(&*elsewhere, &name("c02"), entry("elsewhere", n)).await?;
    }
    let mut tail = StoreTail::new(&elsewhere, 3);
    tail.catch_up().await?;
    let foreign = tail.cursor().cloned();
    for cursor in foreign.iter().chain([&elsewhere.store_head().await?]) {
        is_refused(store, "a cursor of another store", cursor, false).await?;
    }
    for cursor in cursors {
        is_refused(&elsewhere, "a cursor of another store", cursor, false).await?;
    }

    lab.step("cursors of the other direction");
    let query = AllQuery::new().desc().limit(2);
    let backwards = store.read_all(&ReadAll::new(query, store.limits())?).await;
    match backwards {
        Ok(found) => {
            is_refused(store, "a backwards cursor, forwards", &found.next, false).await?;
            for cursor in cursors {
                is_refused(store, "a forwards cursor, backwards", cursor, true).await?;
            }
            Ok(())
        }
        Err(e)
            if lab.capabilities().store_order == StoreOrder::PerStream
                && matches!(e.kind(), Kind::Unsupported { .. }) =>
        {
            Ok(())
        }
        Err(e) => Err(e.into()),
    }
}

/// Reading behind an id: behind one that was trimmed, or is another stream's,
/// it goes on as always; behind one that the store has not given out, or never
/// will, it is refused. Catches a cursor ahead of the store that is silently
/// the end, and one whose entry has to exist.
pub(super) async fn c14_stream_cursor_ahead<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let (stream, other) = (name("c14"), name("c14-other"));
    for n in 0..5 {
        store
            .append(&stream, batch(entries(&format!("{n}"), 2)))
            .await?;
        store
            .append(&other, batch(entries(&format!("other {n}"), 2)))
            .await?;
    }
    let log = whole(&*store, &stream).await?;
    let others = whole(&*store, &other).await?;

    for found in &others {
        let query = Query::new().after(found.id.clone());
        let step = format!("behind id {} of another stream", found.id);
        let expected: Vec<_> = log.iter().filter(|r| r.id > found.id).cloned().collect();
        match page(&*store, &stream, query.clone()).await {
            Ok(_) => {
                let got = records(&*store, &stream, query, 100, false).await?;
                check::same_list("P3", step, &got, &expected)?;
            }
            // Where ids are of their stream, a store may know better.
            Err(e)
                if lab.capabilities().store_order != StoreOrder::Total
                    && matches!(e.kind(), Kind::InvalidCursor) => {}
            Err(e) => return Err(e.into()),
        }
    }
    if lab.capabilities().trim {
        store.trim(&stream, &log[6].id).await?;
        for (at, gone) in log.iter().enumerate() {
            let query = Query::new().after(gone.id.clone());
            let got = records(&*store, &stream, query, 100, false).await?;
            let step = format!("behind version {} of a trimmed stream", gone.version);
            check::same_list("P3", step, &got, &log[(at + 1).max(7)..])?;
        }
    }
    if let Some(future) = lab.future_id() {
        for stream in [&stream, &other] {
            for query in [
                Query::new(),
                Query::new().desc(),
                Query::new().versions(1..3),
            ] {
                let call = page(&*store, stream, query.after(future.clone())).await;
                check::refused(
                    "P1",
                    "an id ahead of the store",
                    call,
                    "InvalidCursor",
                    |kind| matches!(kind, Kind::InvalidCursor),
                )?;
            }
        }
        let query = Query::new().before(future);
        let got = records(&*store, &other, query, 100, false).await?;
        check::same_list("P3", "before an id ahead of the store", &got, &others)?;
    }
    for id in lab.impossible_ids() {
        for query in [
            Query::new().after(id.clone()),
            Query::new().before(id.clone()),
        ] {
            let step = format!("{query:?}");
            let call = page(&*store, &other, query).await;
            check::refused("P18", step, call, "InvalidInput", |kind| {
                matches!(kind, Kind::InvalidInput { .. })
            })?;
        }
    }
    Ok(Ran::Whole)
}
