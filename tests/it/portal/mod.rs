//! The HTTP adapter and the sweep, against the simulated DocSpace server over real sockets.
//!
//! Time is real and policies are of milliseconds, since a paused clock and a socket do not go together. A test asserts
//! on the simulator's request log and stores, and on the report; [`rig::Rig`] holds every report against what must be
//! true of all of them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail a test")]

mod bodies;
mod classes;
mod deletion;
mod dumps;
mod each;
mod garbage;
mod keys;
mod requests;
mod retries;
mod rig;
mod tiny;
mod tls;
