//! An in-process ONLYOFFICE DocSpace server for tests.
//!
//! One [`Server`] is one DocSpace installation with any number of [`Portal`]s, each behind its own
//! loopback port. It answers the backup part of the API with the bodies, headers, side effects and
//! order of checks that the real server's source shows; the `§` marks in this crate name the section
//! of the contract a line follows. On top of that, every way a real deployment fails can be scripted
//! per portal and per route: [`Fault`], [`Portal::refuse_connections`], [`Tls`], [`Portal::hold`].
//!
//! ```
//! # async fn example() -> std::io::Result<()> {
//! use docspace_sim::{Fault, Key, Route, Server};
//!
//! let server = Server::start().await?;
//! let portal = server.add_portal("acme").await?;
//! let key = portal.add_key(Key::admin());
//! portal.add_backups(3);
//! portal.fault(Route::DeleteHistory, Fault::GatewayPage(503));
//! // A client of `portal.url()` with `Authorization: Bearer {key}` now sees 503 once, then 200.
//! # drop(key);
//! # Ok(())
//! # }
//! ```
//!
//! The crate knows nothing of any client. What a client did is read back from the request log
//! ([`Portal::requests`]) and from the two separate stores, [`Portal::records`] and [`Portal::files`].
//!
//! Invariants: no fixed ports, nothing but 127.0.0.1, no task outlives the last [`Server`] handle,
//! and nothing here sleeps to synchronise.

mod answer;
mod auth;
mod backups;
mod connection;
mod core;
mod deletes;
mod door;
mod fault;
mod handlers;
mod hold;
mod limit;
mod log;
mod model;
mod pipeline;
mod portal;
mod portal_state;
mod reads;
mod route;
mod server;
mod state;
mod tls;
mod transmit;
mod wire;

pub use fault::{Fault, Rule, Shape};
pub use hold::Hold;
pub use limit::RateLimit;
pub use log::Request;
pub use model::{Backup, Database, Key, Period, Progress, Record, Role, Schedule, Status, StorageKind};
pub use portal::Portal;
pub use route::Route;
pub use server::{Builder, Server};
pub use tls::Tls;
pub use uuid::Uuid;
