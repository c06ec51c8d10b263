//! One connection: TLS if any, then requests one after the other until somebody closes.
//!
//! The work of a request runs in a task of its own, so that it goes on to the end when the client has
//! left (§7), and so that a panic in it costs one answer and nothing else. The connection meanwhile
//! watches for the client's leaving, which ends every delay and hang.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::answer::{Answer, Exception};
use crate::core::Core;
use crate::fault::{Plan, Rule};
use crate::hold::Standing;
use crate::log::{Connected, InFlight};
use crate::pipeline;
use crate::route::{self, Match};
use crate::state::PortalId;
use crate::tls::Tls;
use crate::transmit::{self, Flow, Outgoing};
use crate::wire::{Head, Incoming, Wire};

/// Serves an accepted stream until it ends or is cut.
pub(crate) async fn serve(core: Arc<Core>, connected: Connected, stream: TcpStream) {
    let (gate, number) = (connected.gate, connected.number);
    let (tls, cut) = {
        let state = core.lock();
        match gate.and_then(|id| state.portal(id)) {
            Some(portal) => (portal.tls, portal.connections.clone()),
            None => (state.config.tls, CancellationToken::new()),
        }
    };
    tokio::select! {
        () = cut.cancelled() => {}
        // Boxed, so that the accept loop's task stays small.
        () = Box::pin(talk(&core, gate, number, stream, tls)) => {}
    }
    // Counted as open until its socket is closed.
    drop(connected);
}

async fn talk(core: &Arc<Core>, gate: Option<PortalId>, number: u64, stream: TcpStream, tls: Option<Tls>) {
    // Without this, small writes would wait for the client's acknowledgements.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(Some(mut wire)) = handshake(core, stream, tls).await else { return };
    loop {
        let head = match wire.read_head().await {
            Incoming::Head(head) => head,
            Incoming::Malformed => {
                // nginx answers this itself, and closes.
                let bytes = transmit::render(&Answer::gateway(400), false);
                if wire.send(&bytes).await.is_ok() {
                    wire.close().await;
                }
                return;
            }
            Incoming::Closed => return,
        };
        match exchange(core, gate, number, &mut wire, *head).await {
            Flow::Keep => {}
            Flow::Close => return wire.close().await,
            Flow::Reset => return wire.reset(),
        }
    }
}

async fn handshake(core: &Core, mut stream: TcpStream, tls: Option<Tls>) -> io::Result<Option<Wire>> {
    let Some(tls) = tls else { return Ok(Some(Wire::new(Box::new(stream), false))) };
    if speaks_plainly(&stream).await? {
        // nginx answers it so; the key has crossed in clear already (§6).
        let mut wire = Wire::new(Box::new(stream), false);
        if let Incoming::Head(_) = wire.read_head().await {
            wire.send(&transmit::render(&Answer::gateway(400), false)).await?;
            wire.close().await;
        }
        return Ok(None);
    }
    if matches!(tls, Tls::CloseInHandshake | Tls::GarbageHandshake) {
        let mut hello = [0; 4096];
        let read = stream.read(&mut hello).await?;
        if tls == Tls::GarbageHandshake && read > 0 {
            stream.write_all(b"220 mail.example ESMTP ready\r\n").await?;
            stream.shutdown().await?;
        }
        return Ok(None);
    }
    let acceptor = TlsAcceptor::from(core.authority.config(tls)?);
    let stream = acceptor.accept(stream).await?;
    Ok(Some(Wire::new(Box::new(stream), true)))
}

/// Whether the first byte is a letter, as of an HTTP verb, and not a TLS record's 22.
async fn speaks_plainly(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    Ok(first.iter().all(u8::is_ascii_alphabetic))
}

/// One request, from its head to the last byte of its answer.
async fn exchange(
    core: &Arc<Core>,
    gate: Option<PortalId>,
    connection: u64,
    wire: &mut Wire,
    head: Head,
) -> Flow {
    let matched = route::find(&head.method, &head.path);
    let head = Arc::new(head);
    let in_flight = Arc::new(InFlight::new(core, gate));
    let (seq, plan, holds) = core.edit(|state| {
        let seq = state.log(gate, connection, &head, matched.route);
        let dump = state.requests.last().and_then(|request| request.dump).unwrap_or(false);
        let portal = gate.and_then(|id| state.portals.get_mut(&id));
        let (fault, holds) = portal.map_or((None, Vec::new()), |portal| {
            let fault = Rule::take(&mut portal.rules, matched.route, dump);
            portal.holds.retain(|hold| !hold.is_over());
            let holds = portal.holds.iter().filter(|hold| hold.selects(matched.route));
            (fault, holds.cloned().collect::<Vec<_>>())
        });
        (seq, fault.map_or_else(Plan::normal, |fault| fault.plan(&head)), holds)
    });
    if let Some(delay) = plan.delay
        && race(wire, tokio::time::sleep(delay)).await.is_none()
    {
        return Flow::Close;
    }
    let job = Job { seq, head: Arc::clone(&head), matched, holds, work: plan.work };
    let (sender, receiver) = oneshot::channel();
    let started = core.spawn(job.run(Arc::clone(core), Arc::clone(&in_flight), sender));
    if started.is_none() {
        return Flow::Close;
    }
    let Some(outcome) = race(wire, receiver).await else { return Flow::Close };
    let answer = outcome.unwrap_or_else(|_| Some(panicked()));
    let outgoing = Outgoing {
        answer: plan.answer.or(answer).map(|answer| answer.compressed_for(&head)),
        delivery: plan.delivery,
        keep_alive: head.keep_alive,
        in_flight,
    };
    transmit::send(core, seq, wire, outgoing).await
}

/// Runs `work` unless the client leaves first.
pub(crate) async fn race<T>(wire: &mut Wire, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = wire.gone() => None,
    }
}

/// The part of a request that outlives its client.
struct Job {
    seq: usize,
    head: Arc<Head>,
    matched: Match,
    holds: Vec<Standing>,
    work: bool,
}

impl Job {
    async fn run(self, core: Arc<Core>, in_flight: Arc<InFlight>, done: oneshot::Sender<Option<Answer>>) {
        let admission = self.work.then(|| pipeline::admit(&core, &self.head, self.matched.route));
        for hold in &self.holds {
            hold.pass().await;
        }
        let answer = match admission {
            Some(admission) => {
                Some(pipeline::finish(core, self.seq, &self.head, self.matched, admission).await)
            }
            None => None,
        };
        // Given back before the answer leaves, so that a client's next request never meets its last.
        drop(in_flight);
        if done.send(answer).is_err() {
            // The client has left; the work is done all the same.
        }
    }
}

fn panicked() -> Answer {
    Answer::exception(500, &Exception::new("System.Exception", "The simulated handler panicked"))
}
