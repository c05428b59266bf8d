//! Replica sets of local servers, which a test may hurt.

use std::path::PathBuf;

use futures_util::future::try_join_all;
use mongodb::bson::{Bson, Document, doc};
use tokio::time::timeout;

use super::database::MongoDatabase;
use super::fail_point::FailPoint;
use super::mongod::Mongod;
use super::partition::Network;
use super::wire::{LIMIT, command, hello, until};
use crate::PATIENCE;
use crate::error::{Error, Result};

/// The name of every set.
pub(super) const NAME: &str = "ledger";

/// A replica set. Its servers end when this is dropped, or the process ends.
#[derive(Debug)]
pub struct MongoSet {
    nodes: Vec<Mongod>,
    pub(super) network: Option<Network>,
}

impl MongoSet {
    /// Starts a set of so many servers, always from the local binary; returns
    /// when one is primary and all others are secondaries. Fail points are
    /// allowed, and elections follow two seconds after a loss.
    ///
    /// # Errors
    ///
    /// If there is no binary: what to run.
    pub async fn start(nodes: usize) -> Result<Self> {
        Self::with(nodes, false).await
    }

    /// Like [`start`](Self::start), with a network between the servers, which
    /// [`cut_off`](Self::cut_off) cuts.
    ///
    /// # Errors
    ///
    /// If there is no binary: what to run.
    pub async fn start_apart(nodes: usize) -> Result<Self> {
        Self::with(nodes, true).await
    }

    async fn with(nodes: usize, apart: bool) -> Result<Self> {
        let mut options = vec!["--replSet", NAME];
        if apart {
            options.extend(Network::OPTIONS);
        }
        let start = || Mongod::start(&options);
        let nodes = try_join_all((0..nodes).map(|_| start())).await?;
        let network = match apart {
            true => Some(Network::start(nodes.iter().map(Mongod::port)).await?),
            false => None,
        };
        let set = Self { nodes, network };
        let members: Vec<Bson> = (0..)
            .zip(set.hosts())
            .map(|(id, host)| Bson::from(doc! { "_id": id, "host": host }))
            .collect();
        let settings = doc! { "electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500 };
        let config = doc! { "_id": NAME, "members": members, "settings": settings };
        set.command(0, doc! { "replSetInitiate": config }).await?;
        set.ready().await?;
        Ok(set)
    }

    /// How many servers it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The URL of the set.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.hosts().collect();
        format!("mongodb://{}/?replicaSet={NAME}", hosts.join(","))
    }

    /// What the members call each other.
    fn hosts(&self) -> impl Iterator<Item = String> {
        let port = |(node, server): (usize, &Mongod)| match &self.network {
            Some(network) => network.port(node),
            None => server.port(),
        };
        let nodes = self.nodes.iter().enumerate();
        nodes.map(move |node| format!("127.0.0.1:{}", port(node)))
    }

    /// The URL of one server, whatever it is in the set.
    #[must_use]
    pub fn node_url(&self, node: usize) -> String {
        self.nodes[node].url()
    }

    /// The port of one server.
    #[must_use]
    pub fn port(&self, node: usize) -> u16 {
        self.nodes[node].port()
    }

    /// The folder of one server's data. A folder `rollback` in it holds what a
    /// deposed primary had to take back.
    #[must_use]
    pub fn data(&self, node: usize) -> PathBuf {
        self.nodes[node].directory().join("data")
    }

    /// The name of a database that nobody else uses; it goes with the set.
    #[must_use]
    pub fn fresh_database(&self) -> MongoDatabase {
        MongoDatabase::fresh(&self.url(), false)
    }

    /// Runs one command on one server's database `admin`.
    ///
    /// # Errors
    ///
    /// If it is refused, or not answered within a minute.
    pub async fn command(&self, node: usize, command: Document) -> Result<Document> {
        self::command(&self.nodes[node].url(), command).await
    }

    /// Sets a fail point of one server, such as `failCommand`; `mode` is what
    /// the server's `configureFailPoint` takes.
    ///
    /// # Errors
    ///
    /// If the server refuses, or is not there.
    pub async fn fail_point(
        &self,
        node: usize,
        name: &'static str,
        mode: impl Into<Bson>,
        data: Document,
    ) -> Result<FailPoint> {
        FailPoint::set(self.nodes[node].url(), name, mode.into(), data).await
    }

    /// Which server is primary; waits until one is. Of two that think so, the
    /// one that was elected last.
    ///
    /// # Errors
    ///
    /// If there is none within a minute.
    pub async fn primary(&self) -> Result<usize> {
        until(LIMIT, || async {
            let mut found = None;
            for (node, server) in self.nodes.iter().enumerate() {
                let answer = timeout(PATIENCE / 5, is_primary(&server.url())).await;
                let Ok(Ok(elected)) = answer else { continue };
                if found.as_ref().is_none_or(|(_, last)| *last < elected) {
                    found = Some((node, elected));
                }
            }
            found
                .map(|(node, _)| node)
                .ok_or_else(|| Error::new("no server is primary"))
        })
        .await
    }

    /// Kills one server as kill -9 does. Returns when it has ended.
    ///
    /// # Errors
    ///
    /// If its watchdog is gone.
    pub async fn kill(&self, node: usize) -> Result<()> {
        self.nodes[node].kill().await
    }

    /// Starts a server that was killed, on its data and its port; returns when
    /// it is primary or secondary again.
    ///
    /// # Errors
    ///
    /// If it does not come back within some minutes.
    pub async fn restart(&self, node: usize) -> Result<()> {
        self.nodes[node].start_again().await?;
        until(2 * LIMIT, || is_member(self.nodes[node].url())).await
    }

    /// Stops a server where it stands, without ending it or its connections.
    ///
    /// # Errors
    ///
    /// If its watchdog is gone.
    pub async fn freeze(&self, node: usize) -> Result<()> {
        self.nodes[node].freeze().await
    }

    /// Lets a server go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// If its watchdog is gone.
    pub async fn thaw(&self, node: usize) -> Result<()> {
        self.nodes[node].thaw().await
    }

    /// Makes the primary step down, and returns the one that follows it.
    ///
    /// # Errors
    ///
    /// If there is no other within a minute.
    pub async fn step_down(&self) -> Result<usize> {
        until(LIMIT, || async {
            let old = self.primary().await?;
            let order = doc! {
                "replSetStepDown": 10,
                "secondaryCatchUpPeriodSecs": 5,
                "force": true,
            };
            // A refusal tells no more than what `primary` tells: it was not
            // primary any more.
            let _ = self.command(old, order).await;
            match self.primary().await? {
                new if new == old => Err(Error::new("the same server is primary")),
                new => Ok(new),
            }
        })
        .await
    }

    /// Waits until one server is primary and all others are secondaries.
    ///
    /// # Errors
    ///
    /// If that is not so within a minute.
    pub async fn ready(&self) -> Result<()> {
        self.primary().await?;
        for node in &self.nodes {
            until(LIMIT, || is_member(node.url())).await?;
        }
        Ok(())
    }
}

/// The election that made this server primary; an error if it is not.
pub(super) async fn is_primary(url: &str) -> Result<Vec<u8>> {
    let hello = hello(url).await?;
    match hello.get_object_id("electionId") {
        Ok(election) if hello.get_bool("isWritablePrimary").is_ok_and(|is| is) => {
            Ok(election.bytes().to_vec())
        }
        _ => Err(Error::new("not primary")),
    }
}

/// An error unless it is primary or secondary.
async fn is_member(url: String) -> Result<()> {
    let hello = hello(&url).await?;
    let is = |state| hello.get_bool(state).is_ok_and(|is| is);
    if is("isWritablePrimary") || is("secondary") {
        return Ok(());
    }
    Err(Error::new("neither primary nor secondary"))
}
