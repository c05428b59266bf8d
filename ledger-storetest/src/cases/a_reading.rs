//! A: pages, filters, the state of a stream, and the whole store.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use ledger_core::{
    AllQuery, EntryId, Kind, PageEnd, Query, Read, ReadAll, Record, StoreExt, StoreOrder,
    StoreRecord, StreamStat,
};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab, unclaimed};
use crate::sample::{
    append_one, batch, begins, entries, entry, everything, name, page, records, whole,
};
use crate::tail::same_log;

/// A page holds no more than its limit and says More where something follows:
/// by default 100 of 1,500. Catches a limit that nobody asked for, and a cut
/// that is not told.
pub(super) async fn a09_limit_is_honoured<I: EntryId>(lab: &Lab<I>) -> Verdict {
    const COUNT: usize = 1500;
    let store = lab.open().await?;
    let stream = name("a09");
    let sent: Vec<String> = (0..COUNT).map(|n| format!("a09 {n}")).collect();
    let typed = store.stream::<String>(&stream);
    typed.append_all(sent.clone()).await?;
    let all = whole(&*store, &stream).await?;
    check::equal("P7", "entries", all.len(), COUNT)?;

    for limit in [1, 2, 99, 100, 101, COUNT - 1, COUNT, COUNT + 1, 10_000] {
        let step = format!("limit {limit} of {COUNT}");
        let got = page(&*store, &stream, Query::new().limit(limit)).await?;
        begins(&got, &all, limit, &step)?;
    }
    for limit in [0, 10_001] {
        check::refused(
            "P18",
            format!("limit {limit}"),
            Read::<I>::new(Query::new().limit(limit), store.limits()),
            "InvalidInput",
            |kind| matches!(kind, Kind::InvalidInput { limit, .. } if [1, 10_000].contains(limit)),
        )?;
    }

    let by_default = page(&*store, &stream, Query::new()).await?;
    begins(&by_default, &all, 100, "the default limit")?;
    let read = typed.read(Query::new()).await?;
    let values: Vec<&String> = read.iter().map(|entry| &entry.value).collect();
    let start: Vec<&String> = sent.iter().take(values.len()).collect();
    check::same_list(
        "P18",
        "the default limit of a typed stream",
        &values,
        &start,
    )?;
    check::that(
        "P18",
        "the default limit of a typed stream",
        (1..=100).contains(&values.len()),
        "up to 100 entries",
        values.len(),
    )?;
    check::equal("P18", "more follows", read.end, PageEnd::More)?;
    let last = read.last().map(|entry| entry.id.clone());
    check::equal("P3", "where the next page begins", read.next, last)?;
    Ok(Ran::Whole)
}

/// The state of a stream right after each append, empty, and trimmed, from the
/// handle that wrote and from another. Catches a head that is remembered, and
/// the first entry taken for the last.
pub(super) async fn a10_head_and_last<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let (store, other) = (lab.open().await?, lab.open().await?);
    let stream = name("a10");
    let mut first = None;
    let mut last_version = 0;
    let mut last = None;
    for n in 0..6 {
        let sent = entries(&format!("a10-{n}"), 1 + n % 3);
        let writer = if n % 2 == 0 { &store } else { &other };
        let receipts = writer.append(&stream, batch(sent)).await?;
        last_version += receipts.len() as u64;
        last = receipts.last_id().cloned();
        first = first.or_else(|| Some(receipts[0].id.clone()));
        let expected = StreamStat::new(first.clone(), last.clone(), last_version, last_version);
        for (who, reader) in [("one handle", &store), ("another", &other)] {
            let stat = reader.stat(&stream).await?;
            check::equal(
                "P4",
                format!("stat from {who}"),
                stat,
                Some(expected.clone()),
            )?;
        }
    }
    if let (true, Some(last)) = (lab.capabilities().trim, &last) {
        store.trim(&stream, last).await?;
        let expected = StreamStat::new(None, None, last_version, 0);
        for reader in [&store, &other] {
            let stat = reader.stat(&stream).await?;
            check::equal("P1", "stat once trimmed", stat, Some(expected.clone()))?;
        }
    }
    Ok(Ran::Whole)
}

/// What a query should give, told by a plain list.
#[derive(Clone, Debug)]
struct Asked<I> {
    order_key: Option<&'static str>,
    after: Option<I>,
    before: Option<I>,
    versions: RangeInclusive<u64>,
    at_version: Option<u64>,
    desc: bool,
}

impl<I: EntryId> Asked<I> {
    fn query(&self) -> Query<I> {
        let mut query = Query::new().versions(self.versions.clone());
        if let Some(key) = self.order_key {
            query = query.order_key(key);
        }
        if let Some(id) = &self.after {
            query = query.after(id.clone());
        }
        if let Some(id) = &self.before {
            query = query.before(id.clone());
        }
        if let Some(version) = self.at_version {
            query = query.at_version(version);
        }
        if self.desc { query.desc() } else { query }
    }

    fn of(&self, all: &[Record<I>]) -> Vec<Record<I>> {
        let wanted = |r: &&Record<I>| {
            self.order_key
                .is_none_or(|key| r.entry.order_key.as_deref() == Some(key))
                && self.after.as_ref().is_none_or(|id| r.id > *id)
                && self.before.as_ref().is_none_or(|id| r.id < *id)
                && self.versions.contains(&r.version)
                && self.at_version.is_none_or(|version| r.version == version)
        };
        let mut found: Vec<_> = all.iter().filter(wanted).cloned().collect();
        if self.desc {
            found.reverse();
        }
        found
    }
}

/// Order key, id range, version range, version, direction and limit in all
/// combinations give what a plain list gives. Catches filters that are
/// combined with *or*, one that is ignored beside another, and a limit that
/// counts what was filtered out.
pub(super) async fn a11_filters_in_combination<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a11");
    let mut given = Vec::new();
    for n in 0..24 {
        let key = [Some("k"), None, Some("K"), Some("k"), Some("k2")][n % 5];
        let mut sent = entry("a11", n as u64);
        sent.order_key = key.map(str::to_owned);
        given.push(sent.clone());
        append_one(&*store, &stream, sent).await?;
        if n % 4 == 0 {
            let beside = entry("beside", n as u64).with_order_key("k");
            append_one(&*store, &name("a11-beside"), beside).await?;
        }
    }
    let all = whole(&*store, &stream).await?;
    let found: Vec<_> = all.iter().map(|record| record.entry.clone()).collect();
    check::same_list("P16", "what the filters choose from", &found, &given)?;
    let id = |at: usize| all.get(at).map(|record| record.id.clone());

    for asked in every_combination(&[None, id(6), id(20)], &[None, id(17), id(3)]) {
        let expected = asked.of(&all);
        for limit in [1, 3, 100] {
            lab.step(format!("limit {limit}, {asked:?}"));
            let got = page(&*store, &stream, asked.query().limit(limit)).await?;
            begins(&got, &expected, limit, &format!("limit {limit}, {asked:?}"))?;
        }
        if asked.at_version.is_some() {
            continue;
        }
        let paged = records(&*store, &stream, asked.query(), 2, asked.desc).await?;
        check::same_list("P3", format!("by pages of 2, {asked:?}"), &paged, &expected)?;
    }
    Ok(Ran::Whole)
}

fn every_combination<I: EntryId>(after: &[Option<I>], before: &[Option<I>]) -> Vec<Asked<I>> {
    let mut all = Vec::new();
    for order_key in [None, Some("k"), Some("absent")] {
        for after in after {
            for before in before {
                for versions in [1..=u64::MAX, 5..=19] {
                    for at_version in [None, Some(11)] {
                        for desc in [false, true] {
                            all.push(Asked {
                                order_key,
                                after: after.clone(),
                                before: before.clone(),
                                versions: versions.clone(),
                                at_version,
                                desc,
                            });
                        }
                    }
                }
            }
        }
    }
    all
}

/// The whole store read page by page is what was appended to all streams, in
/// the order of the appends where the store has one order, in both directions.
/// Catches an index that loses an entry, and an order by time or by name.
pub(super) async fn a12_read_all_equals_merge<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let order = lab.capabilities().store_order;
    if order == StoreOrder::None {
        let read = ReadAll::new(AllQuery::new(), store.limits())?;
        return unclaimed("read_all", store.read_all(&read).await);
    }
    check::equal(
        "P3",
        "an empty store",
        everything(&*store, 10, false).await?,
        Vec::new(),
    )?;
    let log = fill(&store, &mut lab.rng(), 1200).await?;

    for size in [17, 100, 10_000] {
        let got = everything(&*store, size, false).await?;
        same_log("P3", &format!("by pages of {size}"), order, &got, &log)?;
    }
    let newest_first: Vec<_> = log.into_iter().rev().collect();
    let read = ReadAll::new(AllQuery::new().desc(), store.limits())?;
    match store.read_all(&read).await {
        Err(e) if order == StoreOrder::PerStream && is_unsupported(&e) => {}
        Err(e) => return Err(e.into()),
        Ok(_) => {
            for size in [30, 1000] {
                let got = everything(&*store, size, true).await?;
                same_log(
                    "P3",
                    &format!("backwards by {size}"),
                    order,
                    &got,
                    &newest_first,
                )?;
            }
        }
    }
    Ok(Ran::Whole)
}

fn is_unsupported(error: &ledger_core::Error) -> bool {
    matches!(error.kind(), Kind::Unsupported { .. })
}

/// Appends batches to a few streams, one after the other, and tells the log
/// that has to come of it.
async fn fill<I: EntryId>(
    store: &Handle<I>,
    rng: &mut fastrand::Rng,
    count: usize,
) -> Result<Vec<StoreRecord<I>>, Failure> {
    let mut log: Vec<(_, I)> = Vec::new();
    while log.len() < count {
        let stream = name(["z", "a12", "é", "Z", "a12-"][rng.usize(..5)]);
        let sent = entries(&format!("at {}", log.len()), rng.u64(1..=40));
        let receipts = store.append(&stream, batch(sent)).await?;
        log.extend(receipts.into_iter().map(|r| (stream.clone(), r.id)));
    }
    let mut stored = BTreeMap::new();
    for (stream, _) in &log {
        if !stored.contains_key(stream) {
            let mut records = whole(&**store, stream).await?;
            records.reverse();
            stored.insert(stream.clone(), records);
        }
    }
    let mut merged = Vec::new();
    for (stream, id) in log {
        let next = stored.get_mut(&stream).and_then(Vec::pop);
        let found = next.as_ref().is_some_and(|record| record.id == id);
        check::that(
            "P4",
            "an acknowledged entry",
            found,
            format!("id {id}"),
            &next,
        )?;
        merged.extend(next.map(|record| StoreRecord::new(stream, record)));
    }
    Ok(merged)
}
