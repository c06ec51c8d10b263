//! Answers onto the wire, whole or in one of the ways they can go wrong.
//!
//! The status is logged before the first byte leaves, and the request stops counting as at work before
//! the last one does: whoever has read an answer finds both settled.

use std::io::{self, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::answer::{Answer, reason};
use crate::connection::race;
use crate::core::Core;
use crate::fault::Delivery;
use crate::log::InFlight;
use crate::wire::Wire;

/// How much of a generated body is made at a time.
const PIECE: usize = 64 * 1024;

const OPENING: &[u8] = b"{\"response\":\"";
const CLOSING: &[u8] = b"\"}";

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Keep,
    Close,
    Reset,
}

/// What is to be sent, and how.
pub(crate) struct Outgoing {
    pub(crate) answer: Option<Answer>,
    pub(crate) delivery: Delivery,
    pub(crate) keep_alive: bool,
    pub(crate) in_flight: Arc<InFlight>,
}

/// Delivers; an error means that the client is gone.
pub(crate) async fn send(core: &Core, seq: usize, wire: &mut Wire, outgoing: Outgoing) -> Flow {
    let status = match outgoing.delivery {
        Delivery::Hang | Delivery::Drop | Delivery::Reset | Delivery::Garbage => None,
        Delivery::Huge(_) | Delivery::Bomb(_) => Some(200),
        _ => outgoing.answer.as_ref().map(|answer| answer.status),
    };
    core.edit(|state| {
        if let Some(request) = state.requests.get_mut(seq) {
            request.status = status;
        }
    });
    deliver(wire, outgoing).await.unwrap_or(Flow::Close)
}

async fn deliver(wire: &mut Wire, outgoing: Outgoing) -> io::Result<Flow> {
    let Outgoing { answer, delivery, keep_alive, in_flight } = outgoing;
    let answer = answer.unwrap_or_else(|| Answer::bare(500));
    let flow = if keep_alive { Flow::Keep } else { Flow::Close };
    match delivery {
        Delivery::Whole => {
            drop(in_flight);
            wire.send(&render(&answer, keep_alive)).await?;
            Ok(flow)
        }
        Delivery::CutJson => {
            drop(in_flight);
            wire.send(&render(&halved(answer), keep_alive)).await?;
            Ok(flow)
        }
        Delivery::CutBody => {
            let mut bytes = render(&answer, keep_alive);
            bytes.truncate(bytes.len() - answer.body.len().div_ceil(2));
            drop(in_flight);
            wire.send(&bytes).await?;
            Ok(Flow::Close)
        }
        Delivery::DripBody(pause) => {
            let bytes = render(&answer, keep_alive);
            let (head, body) = bytes.split_at(bytes.len() - answer.body.len());
            wire.send(head).await?;
            drip(wire, body, pause, in_flight).await?;
            Ok(flow)
        }
        Delivery::SlowHead(pause) => {
            let bytes = render(&answer, keep_alive);
            let (head, body) = bytes.split_at(bytes.len() - answer.body.len());
            drip(wire, head, pause, in_flight).await?;
            wire.send(body).await?;
            Ok(flow)
        }
        Delivery::Huge(length) => huge(wire, length, in_flight).await.map(|()| flow),
        Delivery::Bomb(length) => bomb(wire, length, in_flight).await.map(|()| flow),
        Delivery::Garbage => {
            drop(in_flight);
            wire.send(b"\x00\x01\xfe\xff* OK IMAP4rev1 ready\r\n\r\n").await?;
            Ok(Flow::Close)
        }
        Delivery::Hang => {
            wire.gone().await;
            Ok(Flow::Close)
        }
        Delivery::Drop => Ok(Flow::Close),
        Delivery::Reset => Ok(Flow::Reset),
    }
}

fn halved(mut answer: Answer) -> Answer {
    answer.body.truncate(answer.body.len() / 2);
    answer
}

/// An answer as bytes, with the length it has.
pub(crate) fn render(answer: &Answer, keep_alive: bool) -> Vec<u8> {
    let mut bytes = head_of(answer, keep_alive, Some(answer.body.len() as u64));
    bytes.extend_from_slice(&answer.body);
    bytes
}

/// The head; without a length the body is chunked.
fn head_of(answer: &Answer, keep_alive: bool, length: Option<u64>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} {}\r\nServer: nginx\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    let has = |wanted: &str| answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    // A scripted answer may lie about its length.
    if !has("content-length") && !has("transfer-encoding") && answer.status != 204 {
        let framing = match length {
            Some(length) => format!("Content-Length: {length}\r\n"),
            None => "Transfer-Encoding: chunked\r\n".to_owned(),
        };
        text.push_str(&framing);
    }
    text.push_str(if keep_alive { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" });
    text.into_bytes()
}

async fn drip(
    wire: &mut Wire,
    bytes: &[u8],
    pause: std::time::Duration,
    in_flight: Arc<InFlight>,
) -> io::Result<()> {
    let mut in_flight = Some(in_flight);
    for (place, byte) in bytes.iter().enumerate() {
        if race(wire, tokio::time::sleep(pause)).await.is_none() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if place + 1 == bytes.len() {
            in_flight.take();
        }
        wire.send(std::slice::from_ref(byte)).await?;
    }
    Ok(())
}

/// The pieces of a JSON object of `length` bytes.
fn pieces(length: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut left = length.saturating_sub((OPENING.len() + CLOSING.len()) as u64);
    let filler = std::iter::from_fn(move || {
        let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        left -= size as u64;
        (size > 0).then(|| vec![b'a'; size])
    });
    std::iter::once(OPENING.to_vec()).chain(filler).chain(std::iter::once(CLOSING.to_vec()))
}

fn generated() -> Answer {
    Answer::bare(200).header("Content-Type", "application/json; charset=utf-8")
}

async fn huge(wire: &mut Wire, length: u64, in_flight: Arc<InFlight>) -> io::Result<()> {
    let length = length.max((OPENING.len() + CLOSING.len()) as u64);
    wire.send(&head_of(&generated(), true, Some(length))).await?;
    let mut in_flight = Some(in_flight);
    for piece in pieces(length) {
        if piece == CLOSING {
            in_flight.take();
        }
        wire.send(&piece).await?;
    }
    Ok(())
}

async fn bomb(wire: &mut Wire, length: u64, in_flight: Arc<InFlight>) -> io::Result<()> {
    let answer = generated().header("Content-Encoding", "gzip");
    wire.send(&head_of(&answer, true, None)).await?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for piece in pieces(length) {
        encoder.write_all(&piece)?;
        let packed = std::mem::take(encoder.get_mut());
        send_chunk(wire, &packed).await?;
        // Compressing does not wait for anything, so the other tasks get their turn here.
        tokio::task::yield_now().await;
    }
    let rest = encoder.finish()?;
    send_chunk(wire, &rest).await?;
    drop(in_flight);
    wire.send(b"0\r\n\r\n").await
}

async fn send_chunk(wire: &mut Wire, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    wire.send(&chunk).await
}
