//! The listening socket of a portal, and the ways it can fail below HTTP.
//!
//! While connections are refused, a socket stays bound without listening, so the port cannot be taken
//! by anybody else and the portal can come back on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::connection;
use crate::core::Core;
use crate::log::Connected;
use crate::portal_state::Flag;
use crate::state::PortalId;

/// A generous queue: hundreds of clients may connect at once.
const BACKLOG: u32 = 1024;

/// The queue of a black hole; Linux lets one more in than it says.
const BLACK_HOLE_BACKLOG: u32 = 1;

/// What stands at a portal's port.
pub(crate) enum Door {
    /// Connections are accepted by a task.
    Open {
        /// Ends the task.
        task: AbortHandle,
        /// Resolves once the listener is closed.
        closed: oneshot::Receiver<()>,
    },
    /// Bound, not listening: refused.
    Refusing(TcpSocket),
    /// Listening with a full queue that nobody empties: connects never complete.
    BlackHole {
        /// Kept open, never accepted from.
        _listener: TcpListener,
        /// What fills the queue.
        _fillers: Vec<TcpStream>,
    },
    /// In between.
    Shut,
}

/// The listener, dropped before the sender that tells of it.
struct Listening {
    listener: TcpListener,
    _closed: oneshot::Sender<()>,
}

/// A socket bound to this port of the loopback address; 0 for any.
pub(crate) fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

/// Starts to accept on a bound socket.
pub(crate) fn open(core: &Arc<Core>, gate: Option<PortalId>, socket: TcpSocket) -> io::Result<Door> {
    let listener = socket.listen(BACKLOG)?;
    let (sender, closed) = oneshot::channel();
    let listening = Listening { listener, _closed: sender };
    let task = core
        .spawn(accept(Arc::clone(core), gate, listening))
        .ok_or_else(|| io::Error::other("the server has been shut down"))?;
    Ok(Door::Open { task, closed })
}

async fn accept(core: Arc<Core>, gate: Option<PortalId>, listening: Listening) {
    loop {
        let Ok((stream, _)) = listening.listener.accept().await else {
            // An accept error is the client's misfortune, never the server's end.
            tokio::task::yield_now().await;
            continue;
        };
        let resets = gate
            .is_some_and(|id| core.lock().portal(id).is_some_and(|portal| portal.is(Flag::ResetOnAccept)));
        if resets {
            if stream.set_zero_linger().is_err() {
                // The client has closed already.
            }
            continue;
        }
        let connected = Connected::new(&core, gate);
        core.spawn(connection::serve(Arc::clone(&core), connected, stream));
    }
}

/// Closes what stands at a portal's port, and waits until it is closed.
async fn shut(core: &Core, id: PortalId) {
    let door = core.edit(|state| {
        state.portals.get_mut(&id).map(|portal| std::mem::replace(&mut portal.door, Door::Shut))
    });
    if let Some(Door::Open { task, closed }) = door {
        task.abort();
        if closed.await.is_err() {
            // The sender is never used, only dropped with the listener.
        }
    }
}

/// Puts another door at a portal's port.
pub(crate) fn set(core: &Core, id: PortalId, door: Door) {
    core.edit(|state| {
        if let Some(portal) = state.portals.get_mut(&id) {
            portal.door = door;
        }
    });
}

/// From now on connections are refused.
pub(crate) async fn refuse(core: &Core, id: PortalId) -> io::Result<()> {
    shut(core, id).await;
    set(core, id, Door::Refusing(bind(id.0)?));
    Ok(())
}

/// From now on connects never complete.
pub(crate) async fn black_hole(core: &Core, id: PortalId) -> io::Result<()> {
    shut(core, id).await;
    let listener = bind(id.0)?.listen(BLACK_HOLE_BACKLOG)?;
    let mut fillers = Vec::new();
    for _ in 0..=BLACK_HOLE_BACKLOG {
        fillers.push(TcpStream::connect((Ipv4Addr::LOCALHOST, id.0)).await?);
    }
    set(core, id, Door::BlackHole { _listener: listener, _fillers: fillers });
    Ok(())
}

/// Accepts connections on the same port again.
pub(crate) async fn reopen(core: &Arc<Core>, id: PortalId) -> io::Result<()> {
    let reserved = core.edit(|state| {
        let portal = state.portals.get_mut(&id)?;
        match std::mem::replace(&mut portal.door, Door::Shut) {
            Door::Refusing(socket) => Some(socket),
            other => {
                portal.door = other;
                None
            }
        }
    });
    let socket = if let Some(socket) = reserved {
        socket
    } else {
        shut(core, id).await;
        bind(id.0)?
    };
    let door = open(core, Some(id), socket)?;
    set(core, id, door);
    Ok(())
}
