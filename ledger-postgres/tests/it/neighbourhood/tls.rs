//! TLS to the server.

use ledger_core::Kind;
use ledger_postgres::PostgresStore;
use ledger_testkit::{Authorities, Postgres};
use sqlx::ConnectOptions;

use crate::support::{Place, append};

fn url(place: &Place, host: &str, mode: &str, authority: &std::path::Path) -> String {
    let options = place.schema.database.options().clone().host(host);
    let mut url = options.to_url_lossy();
    let query = format!("sslmode={mode}&sslrootcert={}", authority.display());
    url.set_query(Some(&query));
    url.to_string()
}

/// Catches a store that falls back to plain bytes, and one that trusts whoever
/// answers.
#[tokio::test]
async fn a_server_is_trusted_by_its_authority_and_its_name_only() {
    let (server, authorities) = Postgres::private_with_tls(&[]).await.unwrap();
    let place = Place::on(&server).await.unwrap();
    let Authorities { right, wrong, .. } = &authorities;
    let open = async |url: String| PostgresStore::open_with(&url, place.config.clone()).await;

    let store = open(url(&place, "localhost", "verify-full", right)).await;
    append(&store.unwrap(), "a", "over TLS").await.unwrap();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                     WHERE s.ssl AND a.query LIKE '%\"{s}\".%'";
    assert!(crate::support::scalar(&place, encrypted).await > 0);

    for (host, mode, authority) in [
        ("localhost", "verify-full", wrong),
        ("localhost", "verify-ca", wrong),
        // The certificate is for another name.
        ("127.0.0.1", "verify-full", right),
    ] {
        let refused = open(url(&place, host, mode, authority)).await.unwrap_err();
        assert_eq!(*refused.kind(), Kind::Unavailable, "{refused}");
        assert!(refused.to_string().contains("TLS"), "{refused}");
    }

    // One that does not speak TLS is not spoken to.
    let plain = Postgres::private(&[]).await.unwrap();
    let plain = Place::on(&plain).await.unwrap();
    let refused = open(url(&plain, "localhost", "verify-full", right)).await;
    assert_eq!(*refused.unwrap_err().kind(), Kind::Unavailable);
}
