//! What the tests share.

pub(crate) mod fake;
pub(crate) mod process;
pub(crate) mod virtual_clock;
