//! tests
mod schedule;
