//! Healthy sites beside hostile peers.

mod dns;
mod held;
mod kinds;
mod peers;
mod rounds;
mod tls;

pub use held::run as held;
pub use peers::run as peers;
pub use rounds::{ROUNDS, hostile};
