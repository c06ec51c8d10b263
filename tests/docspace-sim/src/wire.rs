//! The bytes: request heads in, response bytes out, over plain TCP or TLS.
//!
//! HTTP/1.1 with keep-alive, by hand, because the faults have to reach below what an HTTP library
//! would let out. A client that goes away is noticed while an answer is pending.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// nginx refuses heads larger than four buffers of 8 KiB.
const HEAD_LIMIT: usize = 32 * 1024;

/// More than any head has in practice.
const HEADER_LIMIT: usize = 100;

/// A byte stream that can be cut with a reset.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the close that follows a RST.
    fn reset_on_close(&self) -> io::Result<()>;
}

impl Io for TcpStream {
    fn reset_on_close(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Io for TlsStream<TcpStream> {
    fn reset_on_close(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

/// The head of a request.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) keep_alive: bool,
    /// `https`, as the `links` of an answer echo it.
    pub(crate) secure: bool,
}

impl Head {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first query value of this name, names compared without case (§1: repeated → first wins).
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            decode(key).eq_ignore_ascii_case(name).then(|| decode(value))
        })
    }
}

/// What reading came to.
pub(crate) enum Incoming {
    Head(Box<Head>),
    /// The bytes are no HTTP, or a head too large.
    Malformed,
    Closed,
}

/// One connection's stream and what was read ahead.
pub(crate) struct Wire {
    stream: Box<dyn Io>,
    buffer: Vec<u8>,
    secure: bool,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Io>, secure: bool) -> Self {
        Self { stream, buffer: Vec::new(), secure }
    }

    /// Reads the next head, and drops the body if a length is announced.
    pub(crate) async fn read_head(&mut self) -> Incoming {
        loop {
            match parse(&self.buffer, self.secure) {
                Parsed::Head { head, end, body } => {
                    self.buffer.drain(..end);
                    return if self.skip(body).await { Incoming::Head(head) } else { Incoming::Closed };
                }
                Parsed::Malformed => return Incoming::Malformed,
                Parsed::Partial if self.buffer.len() > HEAD_LIMIT => return Incoming::Malformed,
                Parsed::Partial => {}
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Incoming::Closed,
                Ok(_) => {}
            }
        }
    }

    async fn skip(&mut self, mut length: usize) -> bool {
        loop {
            let here = length.min(self.buffer.len());
            self.buffer.drain(..here);
            length -= here;
            if length == 0 {
                return true;
            }
            if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                return false;
            }
        }
    }

    /// Returns once the peer has closed; what it sends meanwhile is kept for later.
    pub(crate) async fn gone(&mut self) {
        loop {
            if self.buffer.len() > HEAD_LIMIT {
                return;
            }
            if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                return;
            }
        }
    }

    /// Writes and flushes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Closes with a RST.
    pub(crate) fn reset(self) {
        if self.stream.reset_on_close().is_err() {
            // The socket is closed already, which is all that was wanted.
        }
    }

    /// Closes in order; over TLS with a `close_notify`.
    pub(crate) async fn close(mut self) {
        if self.stream.shutdown().await.is_err() {
            // The peer was faster.
        }
    }
}

enum Parsed {
    Head { head: Box<Head>, end: usize, body: usize },
    Partial,
    Malformed,
}

fn parse(bytes: &[u8], secure: bool) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADER_LIMIT];
    let mut request = httparse::Request::new(&mut headers);
    let end = match request.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Malformed,
    };
    let (Some(method), Some(target)) = (request.method, request.path) else { return Parsed::Malformed };
    let target = target.split_once('#').map_or(target, |(before, _)| before);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let mut head = Head {
        method: method.to_owned(),
        path: decode(path),
        query: query.to_owned(),
        headers,
        keep_alive: request.version == Some(1),
        secure,
    };
    if head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        head.keep_alive = false;
    }
    if head.header("transfer-encoding").is_some() {
        return Parsed::Malformed;
    }
    let body = head.header("content-length").map_or(Ok(0), str::parse);
    match body {
        Ok(body) => Parsed::Head { head: Box::new(head), end, body },
        Err(_) => Parsed::Malformed,
    }
}

/// Undoes percent encoding and `+`; a bad escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%'
            && let Some((pair, after)) = tail.split_at_checked(2)
            && let Some(byte) =
                std::str::from_utf8(pair).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(if first == b'+' { b' ' } else { first });
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
