//! Healthy sites beside hostile peers.

mod dns;
mod held;
mod http2;
#[cfg(feature = "http3")]
mod http3;
mod kinds;
mod peers;
mod rounds;
mod tls;

pub use held::run as held;
pub use peers::run as peers;
pub use rounds::{ROUNDS, hostile};
