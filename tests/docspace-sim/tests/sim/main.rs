//! The simulator against the rules it stands for, spoken to in bytes.
//!
//! No HTTP client is used: a client that repairs what it reads could hide what the server gets wrong.

mod client;
mod deletes;
