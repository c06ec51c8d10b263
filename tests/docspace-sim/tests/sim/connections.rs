//! Below HTTP, without TLS: refused, reset, swallowed, cut; and that one bad request is only that.

use std::io::ErrorKind;
use std::time::Duration;

use docspace_sim::{Fault, Route, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, DELETE_ALL, HISTORY, bearer, call, portal};

#[tokio::test]
async fn refused_and_back_on_the_same_port() {
    let (_server, portal, key) = portal().await;
    let url = portal.url();
    let mut open = Client::connect(&portal).await.unwrap();
    open.call("GET", HISTORY, &[]).await;
    portal.refuse_connections().await.unwrap();
    assert!(open.rest().await.is_empty(), "open connections are cut");
    let refused = Client::connect(&portal).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    portal.accept_again().await.unwrap();
    assert_eq!(portal.url(), url);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 200);
    portal.accept_again().await.unwrap();
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 200);
}

#[tokio::test]
async fn reset_on_accept() {
    let (_server, portal, key) = portal().await;
    portal.reset_on_accept(true);
    let mut stream = TcpStream::connect(("127.0.0.1", portal.port())).await.unwrap();
    assert!(stream.read(&mut [0; 1]).await.is_err());
    portal.reset_on_accept(false);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 200);
}

#[tokio::test]
async fn a_black_hole_never_connects() {
    let (_server, portal, key) = portal().await;
    portal.black_hole().await.unwrap();
    // A connect to an open port takes microseconds; that it has not ended here cannot be a slow machine's doing.
    let connect = TcpStream::connect(("127.0.0.1", portal.port()));
    assert!(tokio::time::timeout(Duration::from_millis(300), connect).await.is_err());
    portal.accept_again().await.unwrap();
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 200);
}

#[tokio::test]
async fn a_panicking_action_costs_one_answer() {
    let (_server, portal, key) = portal().await;
    portal.on_next(Route::History, |_| panic!("an action of the test"));
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 500);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 200);
}

#[tokio::test]
async fn keep_alive_close_and_bytes_that_are_no_http() {
    let (server, portal, key) = portal().await;
    let authorization = bearer(&key);
    let mut client = Client::connect(&portal).await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.call("GET", HISTORY, &[("Authorization", &authorization)]).await.status, 200);
    }
    assert_eq!(server.open_connections(), 1);
    let last = client.call("GET", HISTORY, &[("Connection", "close")]).await;
    assert_eq!(last.header("connection"), Some("close"));
    assert!(client.rest().await.is_empty());
    assert_eq!(server.connections_seen(), 1);

    let mut client = Client::connect(&portal).await.unwrap();
    client.stream.write_all(b"\x16\x03\x01 hello\r\n\r\n").await.unwrap();
    assert!(client.rest().await.starts_with(b"HTTP/1.1 400 "));
    let mut client = Client::connect(&portal).await.unwrap();
    client.send("DELETE", DELETE_ALL, &[("Content-Length", "4")]).await;
    client.stream.write_all(b"body").await.unwrap();
    assert_eq!(client.receive().await.unwrap().status, 401);
    assert_eq!(client.call("GET", HISTORY, &[]).await.status, 401, "the body was skipped");
}

#[tokio::test]
async fn the_last_handle_ends_everything() {
    let server = Server::start().await.unwrap();
    let portal = server.add_portal("acme").await.unwrap();
    portal.fault(Route::AnyRoute, Fault::HangBeforeWork);
    let mut client = Client::connect(&portal).await.unwrap();
    client.send("GET", HISTORY, &[]).await;
    portal.wait_requests(1).await;
    let second = server.clone();
    drop(server);
    assert_eq!(second.open_connections(), 1);
    drop(second);
    assert!(client.rest().await.is_empty());
    portal.wait_idle().await;
    assert_eq!(portal.requests().len(), 1, "the log can still be read");
}

#[tokio::test]
async fn a_server_shut_down_listens_no_more() {
    let (server, portal, _) = portal().await;
    server.shut_down().await;
    assert_eq!(Client::connect(&portal).await.err().unwrap().kind(), ErrorKind::ConnectionRefused);
    assert!(server.add_portal("late").await.is_err());
}
