//! The least HTTP client that can see everything: what it sends and reads is bytes.

use std::io;

use docspace_sim::{Portal, Server};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const DELETE_ALL: &str = "/api/2.0/backup/deletebackuphistory";
pub(crate) const HISTORY: &str = "/api/2.0/backup/getbackuphistory";
pub(crate) const SCHEDULE: &str = "/api/2.0/backup/getbackupschedule";
pub(crate) const PROGRESS: &str = "/api/2.0/backup/getbackupprogress";
pub(crate) const RESTORE: &str = "/api/2.0/backup/getrestoreprogress";
pub(crate) const SERVICE: &str = "/api/2.0/backup/getservicestate";
pub(crate) const COUNT: &str = "/api/2.0/backup/getbackupscount";
pub(crate) const VERSION: &str = "/api/2.0/settings/version/build";
pub(crate) const KEY_SELF: &str = "/api/2.0/keys/@self";

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn response(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["response"].clone()
    }

    pub(crate) fn error_type(&self) -> String {
        self.json()["error"]["type"].as_str().expect("an ErrorApiResponse").to_owned()
    }

    /// From the application, and not from the edge (§6, source hint).
    pub(crate) fn is_from_app(&self) -> bool {
        self.header("server-timing").is_some()
    }
}

/// A connection kept alive.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    host: String,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(portal: &Portal) -> io::Result<Self> {
        Self::to(portal.port()).await
    }

    pub(crate) async fn to(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        Ok(Self::over(stream, format!("127.0.0.1:{port}")))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(stream: S, host: String) -> Self {
        Self { stream, host, buffer: Vec::new() }
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) async fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) {
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            text = format!("{text}{name}: {value}\r\n");
        }
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await.expect("the request is written");
    }

    /// `None` when the connection ends before the answer does.
    pub(crate) async fn receive(&mut self) -> Option<Reply> {
        let head = self.until(b"\r\n\r\n").await?;
        let head = String::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        if reply.header("transfer-encoding").is_some() {
            loop {
                let size = String::from_utf8(self.until(b"\r\n").await?).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = self.exactly(size + 2).await?;
                chunk.truncate(size);
                if size == 0 {
                    return Some(reply);
                }
                reply.body.extend(chunk);
            }
        }
        let length = reply.header("content-length").map_or(0, |text| text.parse().expect("a length"));
        reply.body = self.exactly(length).await?;
        Some(reply)
    }

    pub(crate) async fn call(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(method, target, headers).await;
        self.receive().await.expect("an answer")
    }

    /// Everything until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..))
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }
}

/// One request with a key, on a connection of its own.
pub(crate) async fn call(portal: &Portal, method: &str, target: &str, key: &str) -> Reply {
    call_with(portal, method, target, &[("Authorization", &bearer(key))]).await
}

pub(crate) async fn call_with(
    portal: &Portal,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Reply {
    Client::connect(portal).await.expect("a connection").call(method, target, headers).await
}

pub(crate) fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// A default server with one portal and an admin's key.
pub(crate) async fn portal() -> (Server, Portal, String) {
    portal_of(Server::start().await).await
}

pub(crate) async fn portal_of(server: io::Result<Server>) -> (Server, Portal, String) {
    let server = server.expect("a server");
    let portal = server.add_portal("acme").await.expect("a portal");
    let key = portal.add_key(docspace_sim::Key::admin());
    (server, portal, key)
}
