//! Talking to a server, whatever state it is in.

use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::PATIENCE;
use crate::error::{Error, Result};

/// Between two looks at a server.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// How long a server may take to do what it was told. It shares the machine
/// with builds.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// The URL of one server, also of one that is not primary, or not in a set yet.
pub(super) fn direct(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

/// Runs one command on the database `admin`, on a client of its own: a client
/// ends with the runtime that it was made on, and a test has a runtime of its
/// own.
pub(super) async fn command(url: &str, command: Document) -> Result<Document> {
    let run =
        |client: Client| async move { Ok(client.database("admin").run_command(command).await?) };
    with_client(url, run).await
}

/// Gives a client to `work`, for as long as [`LIMIT`] at most.
pub(super) async fn with_client<T, W: Future<Output = Result<T>>>(
    url: &str,
    work: impl FnOnce(Client) -> W,
) -> Result<T> {
    let mut options = parse(url).await?;
    options.server_selection_timeout = Some(PATIENCE);
    options.connect_timeout = Some(PATIENCE);
    let client = Client::with_options(options)?;
    let done = timeout(LIMIT, work(client.clone())).await;
    client.shutdown().immediate(true).await;
    done.unwrap_or_else(|_| Err(Error::new(format!("no answer within {LIMIT:?}"))))
}

async fn parse(url: &str) -> Result<ClientOptions> {
    // The error could quote the URL, which carries a password.
    ClientOptions::parse(url)
        .await
        .map_err(|_| Error::new("not a URL of MongoDB"))
}

/// What the server says of itself.
pub(super) async fn hello(url: &str) -> Result<Document> {
    command(url, doc! { "hello": 1 }).await
}

/// Repeats `attempt` until it succeeds.
pub(super) async fn until<T, A: Future<Output = Result<T>>>(
    limit: Duration,
    mut attempt: impl FnMut() -> A,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        match attempt().await {
            Ok(found) => return Ok(found),
            Err(last) if Instant::now() > end => return Err(last),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Whether somebody listens there.
pub(super) async fn listens(port: u16) -> bool {
    let connection = TcpStream::connect(("127.0.0.1", port));
    matches!(timeout(PATIENCE, connection).await, Ok(Ok(_)))
}
