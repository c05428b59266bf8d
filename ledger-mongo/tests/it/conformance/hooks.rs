//! What the suite cannot do through a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use ledger_core::{Error, Kind, Result, Store, StreamName};
use ledger_mongo::mongodb::bson::{DateTime, Document, doc};
use ledger_mongo::mongodb::{ClientSession, Collection, Database};
use ledger_mongo::{MongoId, MongoStore, transaction_options};
use ledger_storetest::{Application, Harness, Hold, Obstacle, Setup, Transaction};

use super::MongoHarness;
use crate::support::Place;

/// An error of the test's own operations.
fn own(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Io, "the harness").caused_by(e)
}

async fn database(place: &Place) -> Database {
    place.client().await.default_database().unwrap()
}

pub(crate) async fn seed(
    harness: &MongoHarness,
    place: &Place,
    stream: &StreamName,
    version: u64,
) -> Result<()> {
    // Makes the collections.
    let store = harness.open(place, &Setup::default()).await?;
    store.close().await?;
    let meta = place.collection("meta").await;
    let counter = doc! { "_id": "streams" };
    let drawn = meta
        .find_one_and_update(counter, doc! { "$inc": { "next": 1_i64 } })
        .await
        .map_err(own)?;
    let no = drawn.unwrap().get_i64("next").unwrap() + 1;
    let version = version.cast_signed();
    let head = doc! {
        "_id": stream.as_str(), "no": no, "head": version, "floor": version,
        "t": DateTime::now(),
    };
    let streams = place.collection("streams").await;
    streams.insert_one(head).await.map_err(own)?;
    Ok(())
}

pub(crate) async fn application(
    place: &Place,
    setup: &Setup,
) -> Result<Box<dyn Application<MongoId>>> {
    let database = database(place).await;
    let config = place.config.clone().with_deadline(setup.deadline);
    let app = format!("{}_app", place.config.prefix);
    // A transaction needs a collection that is there.
    database.create_collection(&app).await.map_err(own)?;
    let store = MongoStore::with_database(database.clone(), config).await?;
    let app = database.collection(&app);
    let streams = database.collection(&format!("{}_streams", place.config.prefix));
    Ok(Box::new(App {
        database,
        store,
        app,
        streams,
        dropped: Arc::default(),
    }))
}

struct App {
    database: Database,
    store: MongoStore,
    app: Collection<Document>,
    streams: Collection<Document>,
    /// A transaction was dropped since the last one began.
    dropped: Arc<AtomicBool>,
}

struct Tx {
    store: MongoStore,
    session: ClientSession,
    app: Collection<Document>,
    dropped: Arc<AtomicBool>,
    ended: bool,
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.dropped.fetch_or(!self.ended, Ordering::SeqCst);
    }
}

#[async_trait]
impl Application<MongoId> for App {
    async fn begin(&self) -> Result<Box<dyn Transaction<MongoId>>> {
        // The driver aborts a dropped transaction in the background. Outside of
        // a transaction an update waits until that is done.
        if self.dropped.swap(false, Ordering::SeqCst) {
            let all = self
                .streams
                .update_many(doc! {}, doc! { "$inc": { "waited": 1 } });
            all.await.map_err(own)?;
        }
        let session = self.database.client().start_session().await;
        let mut session = session.map_err(own)?;
        let begin = session.start_transaction();
        begin
            .with_options(transaction_options())
            .await
            .map_err(own)?;
        Ok(Box::new(Tx {
            store: self.store.clone(),
            session,
            app: self.app.clone(),
            dropped: self.dropped.clone(),
            ended: false,
        }))
    }

    async fn rows(&self) -> Result<Vec<i64>> {
        let rows = self.app.find(doc! {}).await.map_err(own)?;
        let rows: Vec<_> = rows.try_collect().await.map_err(own)?;
        Ok(rows.iter().map(|row| row.get_i64("n").unwrap()).collect())
    }
}

#[async_trait]
impl Transaction<MongoId> for Tx {
    fn store(&mut self) -> Box<dyn Store<MongoId> + '_> {
        Box::new(self.store.in_session(&mut self.session))
    }

    async fn write(&mut self, row: i64) -> Result<()> {
        let insert = self.app.insert_one(doc! { "n": row });
        insert.session(&mut self.session).await.map_err(own)?;
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.ended = true;
        self.session.commit_transaction().await.map_err(own)
    }

    async fn rollback(mut self: Box<Self>) -> Result<()> {
        self.ended = true;
        self.session.abort_transaction().await.map_err(own)
    }
}

/// A transaction that has locked the heads of all streams, and the counter that
/// new ones need.
struct Lock(ClientSession);

pub(crate) async fn hold(place: &Place) -> Result<Box<dyn Hold>> {
    let streams = place.collection("streams").await;
    let session = streams.client().start_session().await;
    let mut session = session.map_err(own)?;
    session.start_transaction().await.map_err(own)?;
    let lock = doc! { "$inc": { "held": 1 } };
    let locked = streams.update_many(doc! {}, lock.clone());
    locked.session(&mut session).await.map_err(own)?;
    let meta = streams.client().database(&streams.namespace().db);
    let meta = meta.collection::<Document>(&format!("{}_meta", place.config.prefix));
    let locked = meta.update_one(doc! { "_id": "streams" }, lock);
    locked.session(&mut session).await.map_err(own)?;
    Ok(Box::new(Lock(session)))
}

#[async_trait]
impl Hold for Lock {
    async fn release(mut self: Box<Self>) -> Result<()> {
        self.0.abort_transaction().await.map_err(own)
    }
}

pub(crate) async fn open_over(
    harness: &MongoHarness,
    place: &Place,
    obstacle: Obstacle,
    setup: &Setup,
) -> Option<Result<Arc<dyn Store<MongoId>>>> {
    let disturbed = match obstacle {
        Obstacle::NewerFormat => {
            let newer = doc! { "$set": { "format": 1_000 } };
            let meta = place.collection("meta").await;
            meta.update_one(doc! { "_id": "store" }, newer)
                .await
                .map(drop)
        }
        Obstacle::MissingPart => place.collection("entries").await.drop().await,
        // Every operation says what it needs, and any number of processes may
        // use the collections.
        _ => return None,
    };
    Some(match disturbed {
        Ok(()) => harness.open(place, setup).await,
        Err(e) => Err(own(e)),
    })
}
