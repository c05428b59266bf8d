//! Entries that cannot be decoded.

use ledger_core::{ContentType, EntryId, EntryPage, PageEnd, Query, RawEntry, Result, StoreExt};

use super::{all_of, tells_the_place};
use crate::case::{Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{batch, name};

/// A text that must not turn up in an error.
const SECRET: &str = "hunter2";

/// An entry that cannot be decoded is an error with its stream, id and
/// version, and reading goes on behind it: a page ends before it, a stream of
/// entries yields it as one error among the others. No error tells what was
/// in the payload. Catches skipped entries and readers that stay stuck.
pub(crate) async fn n05_poison_position<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("n05");
    let json = |text: &str| RawEntry::new(ContentType::JSON, 1, text.to_owned());
    let sent = [
        json("1"),
        json("2"),
        json(&format!("\"{SECRET}\"")),
        json("4"),
        json(&format!("{{{SECRET}")),
        RawEntry::new(ContentType::BYTES, 1, SECRET),
        RawEntry::new(ContentType::JSON, 2, "7"),
        json(""),
        json("9 9"),
        RawEntry::new(ContentType::JSON, 1, vec![0xff, 0xfe]),
        json("11"),
        json("-1"),
    ];
    let good = [1, 2, 4, 11];
    let receipts = store.append(&stream, batch(sent.clone())).await?;
    let typed = store.stream::<u64>(&stream);

    for desc in [false, true] {
        lab.step(if desc { "pages, newest first" } else { "pages" });
        let mut seen = Vec::new();
        let mut query = Query::new().limit(5);
        loop {
            let asked = if desc {
                query.clone().desc()
            } else {
                query.clone()
            };
            let page: Result<EntryPage<I, u64>> = typed.read(asked).await;
            let (at, end) = match page {
                Ok(page) => {
                    seen.extend(page.iter().map(|e| (e.version, Ok(e.value))));
                    (page.next, page.end)
                }
                Err(error) => {
                    let place = error.context_as::<I>("id");
                    let version = error.context_as::<u64>("version").unwrap_or(0);
                    let told = format!("{error} {error:?}");
                    seen.push((version, Err(told.contains(SECRET))));
                    (place, PageEnd::More)
                }
            };
            let Some(at) = at else { break };
            query = if desc {
                query.before(at)
            } else {
                query.after(at)
            };
            let stuck = seen.len() > sent.len();
            check::that(
                "P24",
                "reading on by pages",
                !stuck,
                "each entry once",
                &seen,
            )?;
            if end == PageEnd::CaughtUp {
                break;
            }
        }
        let mut wanted: Vec<_> = (1..=sent.len() as u64)
            .map(|version| match good.contains(&version) {
                true => (version, Ok(version)),
                false => (version, Err(false)),
            })
            .collect();
        if desc {
            wanted.reverse();
        }
        check::equal("P24", "entries and errors by version", seen, wanted)?;
    }

    lab.step("one by one");
    let mut versions = Vec::new();
    for (found, receipt) in all_of(&typed, Query::new())
        .await
        .into_iter()
        .zip(&receipts)
    {
        match found {
            Ok(entry) => {
                check::equal("P24", "the value of an entry", entry.value, entry.version)?;
                versions.push(entry.version);
            }
            Err(error) => {
                tells_the_place(&error, &stream, &receipt.id, receipt.version)?;
                let told = format!("{error} {error:?}").contains(SECRET);
                check::that("P20", "the text of an error", !told, "no payload", &error)?;
            }
        }
    }
    check::equal("P24", "entries between the errors", versions, good.to_vec())?;
    let found = all_of(&typed, Query::new()).await.len();
    check::equal("P24", "entries and errors, one by one", found, sent.len())?;
    Ok(Ran::Whole)
}
