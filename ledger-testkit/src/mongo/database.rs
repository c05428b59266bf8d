//! Databases of one's own.

use std::fmt;
use std::time::Duration;

use super::wire::with_client;
use crate::name;

/// How long a test that is over waits for its database to go.
const DROP: Duration = Duration::from_secs(10);

/// The name of a database that nobody else uses. What is in it goes when this
/// is dropped.
pub struct MongoDatabase {
    server: String,
    name: String,
    /// False on a server that goes as a whole, and may be down by then.
    dropped: bool,
}

impl MongoDatabase {
    pub(super) fn fresh(server: &str, dropped: bool) -> Self {
        Self {
            server: server.to_owned(),
            name: name::fresh(),
            dropped,
        }
    }

    /// The name. There is no such database until something is put into it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of the server, with this database in its path.
    #[must_use]
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }
}

impl fmt::Debug for MongoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MongoDatabase").field(&self.name).finish()
    }
}

impl Drop for MongoDatabase {
    /// Drops the database, from a thread with a runtime of its own: a test may
    /// end on any runtime. An error is of no use to a test that is over.
    fn drop(&mut self) {
        if !self.dropped {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async {
                let gone = with_client(&server, async move |client: mongodb::Client| {
                    Ok(client.database(&name).drop().await?)
                });
                tokio::time::timeout(DROP, gone).await.ok()?.ok()
            })
        };
        let _ = std::thread::spawn(work).join();
    }
}

/// The URL with this database in its path. Where credentials are looked up
/// stays as it was: by default that is what stood in the path.
fn with_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("mongodb", url));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut query = query.to_owned();
    if !path.is_empty() && hosts.contains('@') && !query.contains("authSource=") {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str("authSource=");
        query.push_str(path);
    }
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{hosts}/{name}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    /// Catches a name that lands in the options, and a user who is suddenly
    /// looked up in a database that does not exist.
    #[test]
    fn the_database_is_put_into_the_path() {
        for (url, expected) in [
            ("mongodb://h", "mongodb://h/t"),
            ("mongodb://h:1,i:2/", "mongodb://h:1,i:2/t"),
            ("mongodb://h/?replicaSet=r", "mongodb://h/t?replicaSet=r"),
            ("mongodb://h/app", "mongodb://h/t"),
            ("mongodb://u:p@h", "mongodb://u:p@h/t"),
            ("mongodb://u:p@h/app", "mongodb://u:p@h/t?authSource=app"),
            (
                "mongodb+srv://u:p@h/app?tls=true",
                "mongodb+srv://u:p@h/t?tls=true&authSource=app",
            ),
            (
                "mongodb://u:p@h/app?authSource=admin",
                "mongodb://u:p@h/t?authSource=admin",
            ),
        ] {
            assert_eq!(with_database(url, "t"), expected);
        }
    }
}
