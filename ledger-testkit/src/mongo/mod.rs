//! MongoDB servers.

mod database;
mod docker;
mod fail_point;
mod mongod;
mod partition;
mod set;
mod wire;

use mongodb::bson::doc;
use tokio::sync::OnceCell;

pub use self::database::MongoDatabase;
pub use self::fail_point::FailPoint;
use self::mongod::Mongod;
pub use self::set::MongoSet;
use self::wire::{hello, with_client};
use crate::error::{Error, Result};
use crate::name;
use crate::way::{self, Way};

/// A server, or a set of them.
#[derive(Debug)]
pub struct Mongo {
    url: String,
    way: Way,
    _local: Option<Local>,
}

/// What lives as long as the value.
#[derive(Debug)]
enum Local {
    Set(#[expect(dead_code, reason = "ends when dropped")] MongoSet),
    Standalone(#[expect(dead_code, reason = "ends when dropped")] Mongod),
}

impl Mongo {
    /// The replica set of this process, of one server unless it was given; the
    /// first call finds or starts it.
    ///
    /// # Errors
    ///
    /// If there is none: what to install.
    pub async fn get() -> Result<&'static Self> {
        // A failure stays too: looking again would take each test its time.
        static SERVER: OnceCell<Result<Mongo>> = OnceCell::const_new();
        let found = SERVER.get_or_init(find).await;
        found.as_ref().map_err(Error::clone)
    }

    /// The set behind a URL.
    ///
    /// # Errors
    ///
    /// If it does not answer, or is a server without a set, which has no
    /// transactions.
    pub async fn at(url: &str) -> Result<Self> {
        let hello = hello(url).await?;
        let is_router = hello.get_str("msg").is_ok_and(|says| says == "isdbgrid");
        if !hello.contains_key("setName") && !is_router {
            return Err(Error::new("the server belongs to no replica set"));
        }
        sweep(url).await?;
        Ok(Self::new(url.to_owned(), Way::Url, None))
    }

    /// A server without a set, for one test. Always from the local binary.
    ///
    /// # Errors
    ///
    /// If there is no binary: what to run.
    pub async fn standalone() -> Result<Self> {
        let server = Mongod::start(&[]).await?;
        let url = server.url();
        Ok(Self::new(url, Way::Local, Some(Local::Standalone(server))))
    }

    fn new(url: String, way: Way, local: Option<Local>) -> Self {
        Self {
            url,
            way,
            _local: local,
        }
    }

    /// Where it comes from.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// How to connect to it, with user and password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of a database that nobody else uses. What is in it goes when
    /// the value is dropped.
    #[must_use]
    pub fn fresh_database(&self) -> MongoDatabase {
        MongoDatabase::fresh(&self.url, true)
    }
}

async fn find() -> Result<Mongo> {
    let advice = "Set LEDGER_MONGO_URL, start Docker, or run scripts/servers, \
                  which fetches mongod";
    let found = way::first("MongoDB", advice, async |way, forced| match way {
        Way::Url => from_url().await,
        Way::Docker => docker::start(forced).await.map(|url| (url, None)),
        Way::Local => MongoSet::start(1)
            .await
            .map(|set| (set.url(), Some(Local::Set(set)))),
    });
    let (way, (url, local)) = found.await?;
    Ok(Mongo::new(url, way, local))
}

async fn from_url() -> Result<(String, Option<Local>)> {
    let url = std::env::var("LEDGER_MONGO_URL")
        .ok()
        .filter(|url| !url.is_empty())
        .ok_or_else(|| Error::new("LEDGER_MONGO_URL is not set"))?;
    Ok((Mongo::at(&url).await?.url, None))
}

/// Drops the databases of runs that were killed more than a day ago.
async fn sweep(url: &str) -> Result<()> {
    with_client(url, async move |client: mongodb::Client| {
        let ours = doc! { "name": { "$regex": "^ledger_test_" } };
        for name in client.list_database_names().filter(ours).await? {
            if name::is_stale(&name) {
                client.database(&name).drop().await?;
            }
        }
        Ok(())
    })
    .await
}
