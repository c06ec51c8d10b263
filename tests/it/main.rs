//! tests
mod config;
mod schedule;
#[path="support/virtual_clock.rs"]
mod virtual_clock;
