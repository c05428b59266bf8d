//! A set of one in a container.

use mongodb::bson::doc;

use super::wire::{LIMIT, command, hello, until};
use super::{mongod, set};
use crate::PATIENCE;
use crate::container::{self, Wanted};
use crate::error::Result;
use crate::watched::free_port;

/// Starts it and returns its URL.
pub(super) async fn start(forced: bool) -> Result<String> {
    // The set's own name of the server has to hold inside and outside, so the
    // port is the same on both sides.
    let port = free_port()?;
    let port_inside = port.to_string();
    let options = [
        "--replSet",
        set::NAME,
        "--bind_ip_all",
        "--port",
        &port_inside,
        "--wiredTigerCacheSizeGB",
        "0.25",
        "--setParameter",
        "enableTestCommands=1",
    ];
    let wanted = Wanted {
        image: ("LEDGER_MONGO_IMAGE", "mongo:6.0"),
        port,
        published: Some(port),
        environment: Vec::new(),
        arguments: options.map(str::to_owned).to_vec(),
    };
    let only_way = forced || mongod::binary().is_err();
    let (host, port) = container::start(wanted, only_way).await?;
    let direct = format!("mongodb://{host}:{port}/?directConnection=true");
    until(6 * PATIENCE, || hello(&direct)).await?;
    let member = format!("127.0.0.1:{port}");
    let members = vec![doc! { "_id": 0, "host": member }];
    let config = doc! { "_id": set::NAME, "members": members };
    command(&direct, doc! { "replSetInitiate": config }).await?;
    until(LIMIT, || set::is_primary(&direct)).await?;
    // Of an engine on another machine the set's own name means nothing here.
    Ok(match host.as_str() {
        "localhost" | "127.0.0.1" => {
            format!("mongodb://{host}:{port}/?replicaSet={}", set::NAME)
        }
        _ => direct,
    })
}
