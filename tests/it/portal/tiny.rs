//! A server of a few lines, for what the simulator is too well-behaved to do.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What it does with a connection once it has read a request's head.
#[derive(Clone)]
enum Manner {
    /// Sends these bytes and closes.
    Say(Arc<Mutex<Vec<u8>>>),
    /// Is a proxy: connects to the address that the request names and passes everything through.
    Tunnel,
}

/// The server. Its tasks end with it.
pub(crate) struct Tiny {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Tiny {
    /// Answers every connection with the bytes that the handle holds at that moment.
    pub(crate) async fn say(bytes: Vec<u8>) -> (Self, Arc<Mutex<Vec<u8>>>) {
        let bytes = Arc::new(Mutex::new(bytes));
        (Self::start(Manner::Say(Arc::clone(&bytes))).await, bytes)
    }

    pub(crate) async fn tunnel() -> Self {
        Self::start(Manner::Tunnel).await
    }

    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let seen = Arc::clone(&heads);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, manner.clone(), Arc::clone(&seen)));
            }
        });
        Self { port, heads, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The heads that were read.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// A client that leaves in the middle ends its connection and nothing else.
async fn serve(mut stream: TcpStream, manner: Manner, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split_whitespace().nth(1).unwrap().to_owned();
    heads.lock().unwrap().push(head);
    let ended = match manner {
        Manner::Say(bytes) => {
            let bytes = bytes.lock().unwrap().clone();
            stream.write_all(&bytes).await
        }
        Manner::Tunnel => tunnel(&mut stream, &target).await,
    };
    if ended.is_ok() && stream.shutdown().await.is_err() {
        // The client was faster.
    }
}

async fn tunnel(stream: &mut TcpStream, target: &str) -> std::io::Result<()> {
    let mut onward = TcpStream::connect(target).await?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(stream, &mut onward).await.map(|_| ())
}
