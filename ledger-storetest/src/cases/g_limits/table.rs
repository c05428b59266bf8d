//! The table of limits, row by row.

use ledger_core::{
    AllQuery, Batch, ContentType, EntryId, Limits, ListStreams, Metadata, Query, RawEntry, Read,
    ReadAll, Rule, Store, StoreOrder, StreamName,
};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, entry, everything, given, name, page, records, whole};

/// The least and the greatest value of every row is stored and comes back; one
/// more or less is refused with the row's facts and leaves nothing behind.
/// Catches limits that are off by one or count characters, fields that are
/// cut, and a store that raises or lowers the table on its own.
pub(crate) async fn g01_limits_table_exact<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let limits = *store.limits();
    the_table(&limits)?;
    for (n, (row, sent)) in (0..).zip(accepted()) {
        lab.step(row);
        let stream = name(&format!("g01-{n}"));
        append_one(&*store, &stream, sent.clone()).await?;
        let found = whole(&*store, &stream).await?;
        check::equal("P18", row, given(&found), vec![&sent])?;
    }

    let stream = name("g01-refused");
    for (sent, field, rule, limit, actual) in refused(&limits) {
        lab.step(format!("{field}, {actual}"));
        let call = Batch::new(vec![entry("good", 0), sent], &limits);
        check::invalid(call, field, rule, limit, actual)?;
        let stat = store.stat(&stream).await?;
        check::equal("P18", format!("after a refused {field}"), stat, None)?;
    }
    let most = limits.content_type;
    let parse = |text: &str| ContentType::parse(text);
    let field = "content type";
    check::invalid(parse(""), field, Rule::AtLeastBytes, 1, 0)?;
    let long = "x".repeat(128);
    check::invalid(parse(&long), field, Rule::AtMostBytes, most, 128)?;
    check::invalid(parse("a b"), field, Rule::VisibleAscii, 0, 0)?;
    check::invalid(parse("é"), field, Rule::VisibleAscii, 0, 0)?;

    many_entries(lab, &*store, &limits).await?;
    many_bytes(lab, &*store, &limits).await?;
    page_limits(lab, &*store, &limits).await?;
    Ok(Ran::Whole)
}

/// Only a layer that splits payloads has other limits, and only for them.
fn the_table(limits: &Limits) -> Result<(), Failure> {
    let mut same = *limits;
    let table = Limits::TABLE;
    let raised = limits.payload > table.payload;
    if raised && limits.batch_bytes >= limits.payload {
        same.payload = table.payload;
        same.batch_bytes = table.batch_bytes;
    }
    check::equal("P18", "the limits of the store", same, table)
}

/// The least and the greatest of every row that is about one entry.
fn accepted() -> Vec<(&'static str, RawEntry)> {
    let plain = || RawEntry::new(ContentType::JSON, 1, "{}");
    let typed = |text: &str| match ContentType::parse(text) {
        Ok(content_type) => RawEntry::new(content_type, 1, "{}"),
        Err(e) => panic!("the suite uses a bad content type: {e}"),
    };
    let with = |pairs: Vec<(String, String)>| plain().with_metadata(pairs.into_iter().collect());
    let pair = |key: usize, value: usize| vec![("k".repeat(key), "v".repeat(value))];
    vec![
        ("nothing optional", plain()),
        ("order key, 1 byte", plain().with_order_key("k")),
        ("order key, 512 bytes", plain().with_order_key(text(512))),
        ("dedup key, 1 byte", plain().with_dedup_key("k")),
        ("dedup key, 512 bytes", plain().with_dedup_key(text(512))),
        ("metadata key of 1 byte, value of 0", with(pair(1, 0))),
        ("metadata key of 128 bytes", with(pair(128, 1))),
        ("metadata value of 8,192 bytes", with(pair(1, 8192))),
        ("64 pairs, 65,536 bytes", plain().with_metadata(full())),
        ("content type of 1 byte", typed("x")),
        (
            "content type of 127 bytes",
            typed(&format!("~/{}!", "x".repeat(124))),
        ),
        (
            "the greatest schema version",
            RawEntry::new(ContentType::BYTES, i32::MAX as u32, "x"),
        ),
    ]
}

/// `len` bytes that a cut or a change of case does not leave alone.
fn text(len: usize) -> String {
    let mut text = "aB9".repeat(len / 3 + 1);
    text.truncate(len - 1);
    text + "Z"
}

/// 64 pairs of 1,024 bytes.
fn full() -> Metadata {
    let pair = |n| (format!("k{n:02}"), format!("{n:02}{}", "v".repeat(1019)));
    (0..64).map(pair).collect()
}

type Refused = (RawEntry, &'static str, Rule, u64, u64);

/// One more or less than every row that is about one entry.
fn refused(limits: &Limits) -> Vec<Refused> {
    use Rule::{AtLeast, AtLeastBytes, AtMost, AtMostBytes, NoNul};
    let plain = || RawEntry::new(ContentType::JSON, 1, "{}");
    let version = |version| RawEntry::new(ContentType::JSON, version, "{}");
    let order = |key: &str| plain().with_order_key(key);
    let dedup = |key: &str| plain().with_dedup_key(key);
    let pair =
        |key: String, value: String| plain().with_metadata([(key, value)].into_iter().collect());
    let mut too_many = Metadata::new();
    (0..65).for_each(|n| too_many.set(format!("k{n}"), ""));
    let mut too_much = full();
    too_much.set("k00", "v".repeat(1022));
    let (key, value) = (limits.metadata_key, limits.metadata_value);
    let long = "ä".repeat(256) + "a";
    vec![
        (order(""), "order key", AtLeastBytes, 1, 0),
        (order(&long), "order key", AtMostBytes, limits.key, 513),
        (order("a\0"), "order key", NoNul, 0, 0),
        (dedup(""), "dedup key", AtLeastBytes, 1, 0),
        (dedup(&long), "dedup key", AtMostBytes, limits.key, 513),
        (dedup("\0a"), "dedup key", NoNul, 0, 0),
        (version(0), "schema version", AtLeast, 1, 0),
        (
            version(1 << 31),
            "schema version",
            AtMost,
            limits.schema_version,
            1 << 31,
        ),
        (
            version(u32::MAX),
            "schema version",
            AtMost,
            limits.schema_version,
            u32::MAX.into(),
        ),
        (
            plain().with_metadata(too_many),
            "metadata pairs",
            AtMost,
            64,
            65,
        ),
        (
            plain().with_metadata(too_much),
            "metadata",
            AtMostBytes,
            65_536,
            65_537,
        ),
        (
            pair(String::new(), "v".into()),
            "metadata key",
            AtLeastBytes,
            1,
            0,
        ),
        (
            pair("k".repeat(129), String::new()),
            "metadata key",
            AtMostBytes,
            key,
            129,
        ),
        (
            pair("k\0".into(), String::new()),
            "metadata key",
            NoNul,
            0,
            0,
        ),
        (
            pair("k".into(), "v".repeat(8193)),
            "metadata value",
            AtMostBytes,
            value,
            8193,
        ),
        (pair("k".into(), "\0".into()), "metadata value", NoNul, 0, 0),
    ]
}

/// 10,000 entries go in at once and come back by the greatest pages.
async fn many_entries<I: EntryId>(
    lab: &Lab<I>,
    store: &dyn Store<I>,
    limits: &Limits,
) -> Result<(), Failure> {
    lab.step("10,000 entries at once");
    let stream = name("g01-many");
    let small = |n: u32| RawEntry::new(ContentType::BYTES, 1, n.to_be_bytes().to_vec());
    let most = u32::try_from(limits.batch_entries).unwrap_or(u32::MAX);
    let over = Batch::new((0..=most).map(small).collect(), limits);
    let most = u64::from(most);
    check::invalid(over, "entries of one append", Rule::AtMost, most, most + 1)?;

    let sent: Vec<_> = (0..10_000).map(small).collect();
    let receipts = store
        .append(&stream, Batch::new(sent.clone(), limits)?)
        .await?;
    check::equal("P18", "receipts", receipts.len(), sent.len())?;
    let one = page(store, &stream, Query::new().limit(10_000)).await?;
    let most = one.records.len() <= 10_000;
    check::that(
        "P18",
        "a page of 10,000",
        most,
        "at most 10,000",
        one.records.len(),
    )?;
    let found = records(store, &stream, Query::new(), 10_000, false).await?;
    let same = given(&found) == sent.iter().collect::<Vec<_>>();
    let (got, last) = (found.len(), found.last().map(|r| r.version));
    let step = "10,000 entries by the greatest pages";
    check::that("P18", step, same, "what was appended", (got, last))
}

/// 16 MiB go in at once.
async fn many_bytes<I: EntryId>(
    lab: &Lab<I>,
    store: &dyn Store<I>,
    limits: &Limits,
) -> Result<(), Failure> {
    if limits.batch_bytes != Limits::TABLE.batch_bytes {
        return Ok(());
    }
    lab.step("16 MiB at once");
    let stream = name("g01-bytes");
    let most = limits.batch_bytes;
    let sized = |bytes: u64, fill: u8| {
        let empty = RawEntry::new(ContentType::BYTES, 1, "").size();
        let len = usize::try_from(bytes).unwrap_or(0) - empty;
        RawEntry::new(ContentType::BYTES, 1, vec![fill; len])
    };
    let fit = vec![sized(most / 2, 1), sized(most / 2, 2)];
    let over = vec![sized(most / 2, 1), sized(most / 2 + 1, 2)];
    let over = Batch::new(over, limits);
    check::invalid(over, "one append", Rule::AtMostBytes, most, most + 1)?;

    store
        .append(&stream, Batch::new(fit.clone(), limits)?)
        .await?;
    let found = whole(store, &stream).await?;
    let same = given(&found) == fit.iter().collect::<Vec<_>>();
    let sizes: Vec<_> = found.iter().map(|r| r.entry.size()).collect();
    check::that(
        "P18",
        "16 MiB in one append",
        same,
        "what was appended",
        sizes,
    )
}

/// Pages of 1 and of 10,000 are given, of 0 and of 10,001 refused.
async fn page_limits<I: EntryId>(
    lab: &Lab<I>,
    store: &dyn Store<I>,
    limits: &Limits,
) -> Result<(), Failure> {
    lab.step("page limits");
    let field = "page limit";
    for (limit, rule, bound) in [(0, Rule::AtLeast, 1), (10_001, Rule::AtMost, 10_000)] {
        let actual = limit as u64;
        let read = Read::<I>::new(Query::new().limit(limit), limits);
        check::invalid(read, field, rule, bound, actual)?;
        let read = ReadAll::new(AllQuery::new().limit(limit), limits);
        check::invalid(read, field, rule, bound, actual)?;
        let list = ListStreams::new(None, limit, limits);
        check::invalid(list, field, rule, bound, actual)?;
    }
    let stream = name("g01-many");
    let one = page(store, &stream, Query::new().limit(1)).await?;
    let versions: Vec<_> = one.records.iter().map(|r| r.version).collect();
    check::equal("P18", "a page of 1", versions, vec![1])?;
    if lab.capabilities().store_order != StoreOrder::None {
        let all = everything(store, 10_000, false).await?;
        let here = all.iter().filter(|found| found.stream == stream).count();
        check::equal("P18", "the whole store by pages of 10,000", here, 10_000)?;
    }
    if lab.capabilities().list {
        let listed = store.list(&ListStreams::new(None, 10_000, limits)?).await?;
        let refused = listed.records.iter().any(|n| *n == "g01-refused");
        check::that(
            "P18",
            "a list of 10,000",
            !refused,
            "no refused stream",
            refused,
        )?;
        let one = ListStreams::new(None, 1, limits)?;
        let one: Vec<StreamName> = store.list(&one).await?.records;
        check::equal("P18", "a list of 1", one, vec![name("g01-0")])?;
    }
    Ok(())
}

/// Payloads of 0, 1, limit - 1 and limit bytes come back byte for byte; one
/// more is refused. Catches payloads cut at a zero byte and limits that leave
/// no room for what is stored with a payload.
pub(crate) async fn g03_payload_edges<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let limits = *store.limits();
    let limit = usize::try_from(limits.payload.min(64 << 20)).unwrap_or(0);
    let mut rng = lab.rng();
    for len in [0, 1, 2, limit - 1, limit] {
        lab.step(format!("a payload of {len} bytes"));
        let stream = name(&format!("g03-{len}"));
        let mut bytes = vec![0; len];
        rng.fill(bytes.get_mut(1..).unwrap_or_default());
        let sent = RawEntry::new(ContentType::BYTES, 1, bytes);
        let batch = Batch::new(vec![sent.clone()], &limits)?;
        store.append(&stream, batch).await?;
        let found = whole(&*store, &stream).await?;
        let same = given(&found) == [&sent];
        let got: Vec<_> = found.iter().map(|r| r.entry.payload.len()).collect();
        let step = format!("a payload of {len} bytes");
        check::that("P16", step, same, "the same bytes", got)?;
    }
    if limits.payload == limit as u64 {
        let stream = name("g03-over");
        let sent = RawEntry::new(ContentType::BYTES, 1, vec![1; limit + 1]);
        let call = Batch::new(vec![sent], &limits);
        let most = limits.payload;
        check::invalid(call, "payload", Rule::AtMostBytes, most, most + 1)?;
        let stat = store.stat(&stream).await?;
        check::equal("P18", "after a refused payload", stat, None)?;
        append_one(&*store, &stream, entry("after", 0)).await?;
    }
    Ok(Ran::Whole)
}
