//! A server in a container.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

use crate::PATIENCE;
use crate::error::{Error, Result};

/// How long an image may take to come, if nothing else is at hand.
const PULL: Duration = Duration::from_secs(300);

/// What to start.
pub(crate) struct Wanted {
    /// The variable that names an image, and the image if it is not set.
    pub(crate) image: (&'static str, &'static str),
    /// The port inside.
    pub(crate) port: u16,
    /// The port outside, if it has to be this one.
    pub(crate) published: Option<u16>,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    pub(crate) arguments: Vec<String>,
}

/// Starts a container; returns the host and the port to connect to. If there is
/// another way to a server, Docker has five seconds, the image included;
/// otherwise five minutes.
pub(crate) async fn start(wanted: Wanted, only_way: bool) -> Result<(String, u16)> {
    let patience = if only_way { PULL } else { PATIENCE };
    let (send, receive) = mpsc::channel();
    // The client of the engine lives on a runtime of its own: the tests that
    // share the container run on many.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let started = match tokio::time::timeout(patience, run(wanted)).await {
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
    match tokio::task::spawn_blocking(wait).await {
        Ok(Ok(started)) => started,
        _ => Err(Error::new("Docker does not answer")),
    }
}

async fn run(wanted: Wanted) -> Result<(String, u16)> {
    let (variable, default) = wanted.image;
    let image = std::env::var(variable).unwrap_or_default();
    let image = if image.is_empty() { default } else { &image };
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let docker = |e: testcontainers::TestcontainersError| Error::new(e.to_string());
    let mut request = GenericImage::new(name, tag)
        .with_exposed_port(wanted.port.tcp())
        .with_cmd(wanted.arguments);
    for (key, value) in wanted.environment {
        request = request.with_env_var(key, value);
    }
    if let Some(published) = wanted.published {
        request = request.with_mapped_port(published, wanted.port.tcp());
    }
    let container = request.start().await.map_err(docker)?;
    let host = container.get_host().await.map_err(docker)?.to_string();
    let port = container
        .get_host_port_ipv4(wanted.port)
        .await
        .map_err(docker)?;
    watch(container.id())?;
    // Kept for as long as the process: the watchdog removes it.
    std::mem::forget(container);
    Ok((host, port))
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
