//! The simulator against the rules it stands for, spoken to in bytes.
//!
//! No HTTP client is used: a client that repairs what it reads could hide what the server gets wrong.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail a test"
)]

mod auth;
mod client;
mod connections;
mod deletes;
mod faults;
mod log;
mod reads;
mod tls;
mod versions;
