//! Opening: clients, collections, and what the promises depend on.

use std::time::Duration;

use ledger_core::backend::{Gate, event};
use ledger_core::{Error, Kind, Result};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{
    Acknowledgment, ClientOptions, DatabaseOptions, ReadConcern, ReadPreference, SelectionCriteria,
    WriteConcern,
};
use mongodb::{Client, Database};
use tokio::time::{Instant, timeout_at};

use crate::BACKEND;
use crate::append::Lanes;
use crate::config::Config;
use crate::error::{During, convert, late};
use crate::handle::{Inner, repeat, session};
use crate::numbers::Numbers;
use crate::schema::{self, Names};
use crate::store::MongoStore;
use crate::time::{ClusterTime, Seen};

/// MongoDB 6.0, the oldest that is tested.
const OLDEST_WIRE_VERSION: i32 = 17;

/// Together they let a client of our own give up a silent primary in about
/// seven seconds.
const HEARTBEAT: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(5);

const CONNECTIONS: u32 = 32;

const SHORTEST_OPENING: Duration = Duration::from_secs(10);

impl MongoStore {
    /// Opens a store with a client of its own, and makes the collections where
    /// none are.
    ///
    /// The URL is that of the driver:
    /// `mongodb://user:password@host:27017/database?replicaSet=rs0`, or
    /// `mongodb+srv://…`. Read and write concerns and the read preference in it
    /// are not used: every operation asks for what the promises need. Unless
    /// the URL says otherwise, servers are looked at every 2 s, a connection is
    /// given up after 5 s, and there are at most 32 to each server.
    ///
    /// # Errors
    ///
    /// `Misconfigured` names what is wrong and the fix: a server that is not
    /// part of a replica set, or is older than 6.0, or not the primary;
    /// collections or indexes that were changed; a wrong URL, user or password.
    /// `NewerFormat`; `Unavailable` if no primary answers within the deadline.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, Config::default()).await
    }

    /// [`open`](Self::open), with other choices.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `InvalidInput` for a choice out of range.
    pub async fn open_with(url: &str, config: Config) -> Result<Self> {
        let database = own_client(url, &config).await?;
        open(database, config, true, Missing::Make).await
    }

    /// Opens a store that has to be there: nothing is ever made.
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with); `Misconfigured` if there are no
    /// collections.
    pub async fn open_existing(url: &str, config: Config) -> Result<Self> {
        let database = own_client(url, &config).await?;
        open(database, config, true, Missing::Refuse).await
    }

    /// Opens a store in a database of the application's client, which is never
    /// shut down. Collections are made as in [`open`](Self::open);
    /// [`Config::database`] is not used.
    ///
    /// The options of the client stay as they are, except that concerns and
    /// read preference are set for each operation. How long a silent primary
    /// holds calls up is a matter of its heartbeat.
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with).
    pub async fn with_database(database: Database, config: Config) -> Result<Self> {
        open(database, config, false, Missing::Make).await
    }

    /// Makes the collections and indexes, or brings them up to the format of
    /// this release. Harmless where nothing is to be done, and where several do
    /// it at once.
    ///
    /// # Errors
    ///
    /// `NewerFormat`; `Misconfigured` if the user may not.
    pub async fn migrate(database: &Database, config: &Config) -> Result<()> {
        config.check()?;
        let deadline = opening(config);
        let (database, names) = (confirmed(database), Names::of(config));
        in_task(deadline, async move {
            schema::migrate(&database, &names).await.map(drop)
        })
        .await
    }

    /// What [`migrate`](Self::migrate) does where nothing is, as a script for
    /// `mongosh`, to be read or run by hand.
    #[must_use]
    pub fn schema_script(config: &Config) -> String {
        schema::script(&Names::of(config))
    }
}

/// When an opening has to be over: a handle with short calls needs connections
/// and a look at the indexes all the same.
fn opening(config: &Config) -> Instant {
    Instant::now() + config.deadline.max(SHORTEST_OPENING)
}

/// What to do where no collections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Make,
    Refuse,
}

async fn own_client(url: &str, config: &Config) -> Result<Database> {
    config.check()?;
    let deadline = opening(config);
    // Not the source: it may quote the URL, which has a password in it.
    let wrong = |_| {
        Error::new(
            Kind::Misconfigured,
            "not a URL of MongoDB (mongodb://user:password@host/database?replicaSet=name)",
        )
    };
    let parsed = timeout_at(deadline, async { ClientOptions::parse(url).await }).await;
    let mut options = parsed.map_err(|_| late())?.map_err(wrong)?;
    options.app_name.get_or_insert_with(|| "ledger".to_owned());
    options.heartbeat_freq.get_or_insert(HEARTBEAT);
    options.connect_timeout.get_or_insert(CONNECT);
    options.max_pool_size.get_or_insert(CONNECTIONS);
    let database = config.database.clone();
    let database = database.or_else(|| options.default_database.clone());
    let client = Client::with_options(options).map_err(wrong)?;
    Ok(client.database(database.as_deref().unwrap_or("ledger")))
}

/// The database, with the concerns that the promises need. The driver leaves
/// them away inside transactions.
fn confirmed(database: &Database) -> Database {
    let mut write = WriteConcern::default();
    write.w = Some(Acknowledgment::Majority);
    write.journal = Some(true);
    let options = DatabaseOptions::builder()
        .read_concern(ReadConcern::majority())
        .write_concern(write)
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .build();
    let client = database.client();
    client.database_with_options(database.name(), options)
}

/// Opens a store, in a task that a dropped future does not cut.
async fn open(
    database: Database,
    config: Config,
    own_client: bool,
    missing: Missing,
) -> Result<MongoStore> {
    config.check()?;
    let deadline = opening(&config);
    in_task(deadline, async move {
        let database = confirmed(&database);
        let names = Names::of(&config);
        check_server(&database, deadline).await?;
        let id = match schema::look(&database, &names).await? {
            Some(id) => id,
            None if missing == Missing::Make => schema::migrate(&database, &names).await?,
            None => {
                return Err(Error::new(
                    Kind::Misconfigured,
                    "the collections are not there; run MongoStore::migrate, or the script of \
                     MongoStore::schema_script, as a user that may make them",
                ));
            }
        };
        schema::check(&database, &names).await?;
        let client = database.client().clone();
        let mut first = session(&client, true).await?;
        let meta = database.collection::<Document>(&names.meta);
        let found = meta
            .find_one(doc! { "_id": "store" })
            .session(&mut first)
            .await;
        found.map_err(|e| convert(&e, During::Read))?;
        let seen = Seen::default();
        let opened_at = ClusterTime::of(&first);
        seen.note(opened_at);
        event::opened(BACKEND, id);
        Ok(MongoStore::new(Inner {
            own_client,
            entries: database.collection(&names.entries),
            streams: database.collection(&names.streams),
            meta,
            client,
            database,
            names,
            config,
            id,
            gate: Gate::new(),
            seen,
            opened_at,
            numbers: Numbers::default(),
            lanes: Lanes::default(),
        }))
    })
    .await
}

async fn in_task<T: Send + 'static>(
    deadline: Instant,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let work = async move {
        let late = |_| Error::new(Kind::Unavailable, "no primary answers within the deadline");
        timeout_at(deadline, work).await.map_err(late)?
    };
    let failed = |e| Error::new(Kind::Internal, "the task of a call ended early").caused_by(e);
    tokio::spawn(work).await.map_err(failed)?
}

/// Checks what the promises depend on.
async fn check_server(database: &Database, deadline: Instant) -> Result<()> {
    let hello = repeat(deadline, || async {
        let hello = database.run_command(doc! { "hello": 1 }).await;
        hello.map_err(|e| convert(&e, During::Read))
    })
    .await;
    let hello = hello.map_err(|e| match e.kind() {
        Kind::Timeout => Error::new(Kind::Unavailable, "no primary answers within the deadline"),
        _ => e,
    })?;
    let misconfigured = |why: &'static str| Err(Error::new(Kind::Misconfigured, why));
    let wire = match hello.get("maxWireVersion") {
        Some(Bson::Int32(n)) => *n,
        _ => 0,
    };
    if wire < OLDEST_WIRE_VERSION {
        return misconfigured("the server is too old: MongoDB 6.0 or newer is needed");
    }
    let sharded = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
    if !sharded && !hello.contains_key("setName") {
        return misconfigured(
            "the server is not part of a replica set, which transactions need. For one on a \
             laptop: mongod --replSet rs0 --dbpath DIRECTORY, and then, once: \
             mongosh --eval 'rs.initiate()'",
        );
    }
    if !sharded && !hello.get_bool("isWritablePrimary").unwrap_or(false) {
        return misconfigured(
            "the server is not the primary: name the members of the replica set in the URL, with \
             replicaSet=NAME and without directConnection",
        );
    }
    Ok(())
}
