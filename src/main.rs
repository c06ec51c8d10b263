//! docsweep binary
fn main() {}
