//! One check: the request, its verdict, and whether it is our own network that failed.

pub mod addresses;
pub mod canaries;
pub(super) mod catch_panic;
pub mod judging;
pub mod local;
#[cfg(test)]
pub(super) mod test_monitors;
mod versions;
