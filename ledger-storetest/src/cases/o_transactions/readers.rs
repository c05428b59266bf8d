//! Others while a transaction is open.

use ledger_core::{EntryId, StoreOrder};

use super::super::e_dedup::{OLD, keyed, receipts_are};
use super::{NONE, others_see};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::race::spawn;
use crate::sample::{append_one, batch, entry, everything, name};
use crate::tail::{StoreTail, same_log};

/// How often readers look while the transaction is open.
const LOOKS: usize = 25;

/// While a transaction with entries is open another append is made, and
/// readers of the whole store read on and on; then it is committed, and each
/// has got every entry once, in the order of the store. Nobody waits for a
/// time: the other append may be acknowledged before the commit or after it.
/// Catches a place that is taken early and becomes visible late.
pub(in crate::cases) async fn o02_open_transaction_and_readers<I: EntryId>(
    lab: &Lab<I>,
) -> Verdict {
    let order = lab.capabilities().store_order;
    if order == StoreOrder::None {
        return Ok(Ran::Not("no order of the whole store is claimed"));
    }
    let handles = [lab.open().await?, lab.open().await?];
    let Some(application) = lab.application().await else {
        return Ok(NONE);
    };
    let application = application?;
    let mut readers: Vec<_> = [1, 2, 100]
        .into_iter()
        .map(|size| StoreTail::new(&handles[1], size))
        .collect();
    let mut count = 0;
    for round in 0..6_u64 {
        lab.step(format!("round {round}"));
        append_one(&*handles[0], &name("o02 other"), entry("before", round)).await?;
        let mut tx = application.begin().await?;
        append_one(&*tx.store(), &name("o02"), entry("first", round)).await?;
        let other = spawn({
            let store = handles[0].clone();
            async move { append_one(&*store, &name("o02 other"), entry("other", round)).await }
        });
        for _ in 0..LOOKS {
            for reader in &mut readers {
                reader.step().await?;
            }
            tokio::task::yield_now().await;
        }
        append_one(&*tx.store(), &name("o02"), entry("second", round)).await?;
        if round % 3 == 2 {
            tx.rollback().await?;
            count += 2;
        } else {
            tx.commit().await?;
            count += 4;
        }
        other.join().await?;
        let log = everything(&*handles[0], 1000, false).await?;
        check::equal("P4", "entries in the end", log.len(), count)?;
        for reader in &mut readers {
            reader.catch_up().await?;
            same_log("P3", "what a reader got", order, &reader.got, &log)?;
        }
    }
    Ok(Ran::Whole)
}

/// An append whose acknowledgement got lost is made again while the first is
/// still being committed by another session: it waits and is a duplicate,
/// although its expected version is stale by then. If the first is rolled
/// back, the second stores the entries. Catches a conflict that is decided on
/// a snapshot from before the wait.
pub(in crate::cases) async fn o07_retry_while_held<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let stream = name("o07");
    let store = lab.open().await?;
    append_one(&*store, &stream, entry("before", 0)).await?;
    let Some(application) = lab.application().await else {
        return Ok(NONE);
    };
    let application = application?;
    let mut log = vec![entry("before", 0)];
    for round in 0..4_u64 {
        lab.step(format!("round {round}"));
        let version = log.len() as u64;
        let sent: Vec<_> = (0..2)
            .map(|n| keyed("o07", n, &format!("{round} {n}")))
            .collect();
        let again = batch(&sent[..]).with_expected(version);
        let mut tx = application.begin().await?;
        tx.store().append(&stream, again.clone()).await?;
        let retry = spawn({
            let (store, stream) = (store.clone(), stream.clone());
            async move { store.append(&stream, again).await }
        });
        for _ in 0..LOOKS {
            store.stat(&stream).await?;
            tokio::task::yield_now().await;
        }
        let commit = round % 2 == 0;
        if commit {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        let answer = retry.join().await;
        let receipts = answer
            .map_err(|e| Failure::new("P9", "the retry", "duplicates", format!("{e} ({e:?})")))?;
        let status = if commit { OLD } else { super::NEW };
        receipts_are(
            "the retry",
            &receipts,
            &[(version + 1, status), (version + 2, status)],
        )?;
        log.extend(sent);
        others_see(&store, &stream, "after the retry", &log).await?;
    }
    Ok(Ran::Whole)
}
