//! The proxy, in front of a server that sends back what it gets.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger_testkit::{Cut, Direction, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that answers each piece by the same, in two halves, and counts the
/// bytes that it got.
async fn echo() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let got = Arc::new(AtomicU64::new(0));
    let count = got.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let count = count.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 1_024];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    count.fetch_add(n as u64, Ordering::Relaxed);
                    let (one, two) = buffer[..n].split_at(n / 2);
                    if stream.write_all(one).await.is_err() || stream.write_all(two).await.is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    (address, got)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .unwrap()
}

async fn ask(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    let exchange = async {
        stream.write_all(text.as_bytes()).await?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8(answer).unwrap())
    };
    timeout(LIMIT, exchange).await.expect("an end of some kind")
}

/// Catches bytes that are lost or altered when nothing is wrong.
#[tokio::test]
async fn everything_is_passed_on() {
    let (server, _) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut one = connect(&proxy).await;
    let mut two = connect(&proxy).await;
    for n in 0..50 {
        let text = format!("message {n}");
        assert_eq!(ask(&mut one, &text).await.unwrap(), text);
        assert_eq!(ask(&mut two, &text).await.unwrap(), text);
    }
    proxy.delay(Duration::from_millis(1));
    assert_eq!(ask(&mut one, "late").await.unwrap(), "late");
    let counts = proxy.counts();
    assert_eq!((counts.accepted, counts.cut), (2, 0));
    assert!(counts.delayed >= 2);
}

/// Catches a cut that lets the request through, and one that repeats.
#[tokio::test]
async fn a_request_is_cut_before_it_is_sent() {
    let (server, got) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    proxy.cut(Cut::request("COMMIT"), 1);
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "BEGIN").await.unwrap(), "BEGIN");
    assert!(ask(&mut stream, "COMMIT").await.is_err());
    assert_eq!(proxy.wait(|c| c.cut == 1).await.unwrap().cut, 1);
    assert_eq!(got.load(Ordering::Relaxed), 5);
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "COMMIT").await.unwrap(), "COMMIT");
}

/// Catches a reply that gets through, wholly or in part, and a cut that is
/// quicker than the server.
#[tokio::test]
async fn a_reply_is_dropped_after_it_has_come() {
    let (server, got) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    for cut in [
        Cut::reply_to("COMMIT"),
        Cut::reply_to("COMMIT").ending("MIT"),
        Cut::reply("COM"),
    ] {
        let before = (proxy.counts().cut, got.load(Ordering::Relaxed));
        proxy.cut(cut, 1);
        let mut stream = connect(&proxy).await;
        assert_eq!(ask(&mut stream, "BEGIN").await.unwrap(), "BEGIN");
        stream.write_all(b"COMMIT").await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, b"");
        let counts = proxy.wait(|c| c.cut > before.0).await.unwrap();
        assert_eq!(counts.cut, before.0 + 1);
        assert_eq!(got.load(Ordering::Relaxed), before.1 + 11);
    }
}

/// Catches a cut at the wrong byte.
#[tokio::test]
async fn a_message_is_torn_after_so_many_bytes() {
    let (server, got) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    proxy.cut(Cut::after(Direction::ToServer, 8), 1);
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "BEGIN").await.unwrap(), "BEGIN");
    assert!(ask(&mut stream, "COMMIT").await.is_err());
    // The server gets the last piece on its own time.
    let end = tokio::time::Instant::now() + LIMIT;
    while got.load(Ordering::Relaxed) < 8 {
        assert!(tokio::time::Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    proxy.cut(Cut::after(Direction::ToClient, 3), 1);
    let mut stream = connect(&proxy).await;
    stream.write_all(b"COMMIT").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"COM");
    assert_eq!(got.load(Ordering::Relaxed), 14);
    assert_eq!(proxy.counts().cut, 2);
}

/// Catches a black hole that answers, and one that loses what it held.
#[tokio::test]
async fn a_black_hole_answers_nothing_until_it_passes() {
    let (server, got) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut old = connect(&proxy).await;
    assert_eq!(ask(&mut old, "BEGIN").await.unwrap(), "BEGIN");
    proxy.black_hole();
    let mut new = connect(&proxy).await;
    old.write_all(b"COMMIT").await.unwrap();
    new.write_all(b"BEGIN").await.unwrap();
    proxy.wait(|c| c.swallowed == 2).await.unwrap();
    assert_eq!(got.load(Ordering::Relaxed), 5);
    proxy.pass().await.unwrap();
    let mut answer = [0; 6];
    timeout(LIMIT, old.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"COMMIT");
    assert!(!matches!(
        timeout(LIMIT, new.read(&mut answer)).await.unwrap(),
        Ok(1..)
    ));
}

/// Catches a reset that looks like an orderly end, and a port that is still
/// open, or does not come back.
#[tokio::test]
async fn connections_are_reset_and_refused() {
    let (server, _) = echo().await;
    let proxy = Proxy::start(server).await.unwrap();
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "BEGIN").await.unwrap(), "BEGIN");
    proxy.refuse().await.unwrap();
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(&mut stream, "still here").await.unwrap(), "still here");
    proxy.reset();
    let end = timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.counts().reset, 1);
    proxy.pass().await.unwrap();
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "again").await.unwrap(), "again");
}
