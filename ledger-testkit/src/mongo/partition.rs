//! Networks between the servers of a set.

use futures_util::future::try_join_all;

use super::set::MongoSet;
use crate::error::Result;
use crate::proxy::{Cut, Proxy};

/// A proxy in front of each server of a set. The set knows its members by the
/// proxies' ports, and so do clients.
#[derive(Debug)]
pub(super) struct Network {
    proxies: Vec<Proxy>,
}

impl Network {
    /// Proxies need to read what servers say to each other. And a secondary
    /// gives up a silent server that it copies from within seconds: before, the
    /// new primary has no majority.
    pub(super) const OPTIONS: [&str; 4] = [
        "--networkMessageCompressors",
        "disabled",
        "--setParameter",
        "oplogNetworkTimeoutBufferSeconds=1",
    ];

    pub(super) async fn start(servers: impl Iterator<Item = u16>) -> Result<Self> {
        let proxies = servers.map(|port| Proxy::start(format!("127.0.0.1:{port}")));
        let proxies = try_join_all(proxies).await?;
        Ok(Self { proxies })
    }

    /// Where the others find this server.
    pub(super) fn port(&self, node: usize) -> u16 {
        self.proxies[node].port()
    }
}

impl MongoSet {
    /// Cuts a server off from the clients and from the others, in both
    /// directions, while it lives on: nothing reaches it by the set's URL, and
    /// what it says to the others is cut. [`command`](Self::command),
    /// [`node_url`](Self::node_url) and what is built on them still reach it.
    ///
    /// # Panics
    ///
    /// If the set was not started by [`start_apart`](Self::start_apart).
    #[expect(clippy::expect_used, reason = "the test is wrong, not the set")]
    pub fn cut_off(&self, node: usize) {
        let network = self.network.as_ref().expect("a set that was started apart");
        // Servers say in each heartbeat who they are.
        let from = format!("127.0.0.1:{}\0", network.port(node));
        for (other, proxy) in network.proxies.iter().enumerate() {
            if other == node {
                proxy.black_hole();
            } else {
                proxy.cut(Cut::request(from.clone()), u64::MAX);
            }
        }
    }

    /// Ends what [`cut_off`](Self::cut_off) began. What was held back meanwhile
    /// is passed on, or its connection is reset.
    ///
    /// # Errors
    ///
    /// If a proxy does not follow.
    pub async fn reconnect(&self) -> Result<()> {
        for proxy in self.network.iter().flat_map(|network| &network.proxies) {
            proxy.pass().await?;
            proxy.reset();
        }
        Ok(())
    }
}
