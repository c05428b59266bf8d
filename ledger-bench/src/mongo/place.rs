//! A database with the collections of both sides.

use anyhow::Result;
use ledger_mongo::MongoStore;
use ledger_testkit::{Mongo, MongoDatabase};
use mongodb::bson::RawDocumentBuf;
use mongodb::options::{
    Acknowledgment, DatabaseOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Collection};

use crate::args::Args;
use crate::workload::fill;

/// Streams in the store that is read.
const STREAMS: usize = 100;

pub(super) struct Place {
    database: MongoDatabase,
    /// Of the floor; as many connections as the driver makes unless told
    /// otherwise, which is one for each of up to 100 tasks.
    client: Client,
    pub(super) store: MongoStore,
}

impl Place {
    pub(super) async fn fresh(server: &Mongo) -> Result<Self> {
        let database = server.fresh_database();
        let store = MongoStore::open(&database.url()).await?;
        let client = Client::with_uri_str(database.url()).await?;
        Ok(Self {
            database,
            client,
            store,
        })
    }

    /// With the concerns of ours.
    pub(super) fn collection(&self, name: &str) -> Collection<RawDocumentBuf> {
        let write = WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build();
        let options = DatabaseOptions::builder()
            .read_concern(ReadConcern::majority())
            .write_concern(write)
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .build();
        let name_of_database = self.database.name();
        let database = self.client.database_with_options(name_of_database, options);
        database.collection(name)
    }

    pub(super) async fn fill(&self, args: &Args) -> Result<()> {
        fill(&self.store, args, STREAMS, 100).await?;
        Ok(())
    }
}
