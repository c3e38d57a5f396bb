//! What several subjects need: scripted servers and ready-made values.

pub mod cases;
pub mod check;
pub mod dns;
pub mod forge;
pub mod golden;
pub mod h2_site;
#[cfg(feature = "http3")]
pub mod h3_site;
pub mod pki;
pub mod port;
pub mod raw;
pub mod relay;
pub mod schema;
pub mod site;
