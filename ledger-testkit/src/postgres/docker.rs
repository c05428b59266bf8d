//! A server in a container.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

use super::{PATIENCE, answers, local};
use crate::error::{Error, Result};

/// How long an image may take to come, if nothing else is at hand.
const PULL: Duration = Duration::from_secs(300);

const PASSWORD: &str = "only-for-tests";

/// Starts a container. With local binaries at hand Docker has five seconds,
/// the image included; without them, or if Docker is forced, five minutes.
pub(super) async fn start(forced: bool) -> Result<PgConnectOptions> {
    let patience = if forced || local::binaries().is_err() {
        PULL
    } else {
        PATIENCE
    };
    let (send, receive) = mpsc::channel();
    // The client of the engine lives on a runtime of its own: the tests that
    // share the container run on many.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let started = match tokio::time::timeout(patience, run()).await {
                Ok(started) => started,
                Err(_) => Err(Error::new(format!("no container within {patience:?}"))),
            };
            let keep = started.is_ok();
            let _ = send.send(started);
            if keep {
                std::future::pending::<()>().await;
            }
        });
    });
    let wait = move || receive.recv_timeout(patience + PATIENCE);
    let started = tokio::task::spawn_blocking(wait).await;
    let options = match started {
        Ok(Ok(started)) => started?,
        _ => return Err(Error::new("Docker does not answer")),
    };
    answers(&options, 6 * PATIENCE).await?;
    Ok(options)
}

async fn run() -> Result<PgConnectOptions> {
    let image = std::env::var("LEDGER_POSTGRES_IMAGE").unwrap_or_default();
    let image = if image.is_empty() {
        "postgres:15".to_owned()
    } else {
        image
    };
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let docker = |e: testcontainers::TestcontainersError| Error::new(e.to_string());
    let container = GenericImage::new(name, tag)
        .with_exposed_port(5432.tcp())
        .with_env_var("POSTGRES_PASSWORD", PASSWORD)
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "password")
        .with_cmd(["-c", "max_prepared_transactions=20"])
        .start()
        .await
        .map_err(docker)?;
    let host = container.get_host().await.map_err(docker)?.to_string();
    let port = container.get_host_port_ipv4(5432).await.map_err(docker)?;
    watch(container.id())?;
    // Kept for as long as the process: the watchdog removes it.
    std::mem::forget(container);
    Ok(PgConnectOptions::new_without_pgpass()
        .host(&host)
        .port(port)
        .username("postgres")
        .password(PASSWORD)
        .database("postgres")
        .disable_statement_logging())
}

/// Removes the container when this process ends, however it ends.
fn watch(id: &str) -> Result<()> {
    let script = r#"trap '' INT TERM HUP; read -r _; docker rm -f -v "$1" >/dev/null 2>&1"#;
    let mut watchdog = Command::new("sh");
    watchdog.args(["-c", script, "sh", id]);
    watchdog.stdin(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut watchdog, 0);
    // Neither waited for nor dropped: its standard input ends with the process.
    std::mem::forget(watchdog.spawn()?);
    Ok(())
}
