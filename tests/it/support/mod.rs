//! What several subjects need: scripted servers and ready-made values.

pub mod cases;
pub mod check;
pub mod dns;
pub mod forge;
pub mod golden;
pub mod pki;
pub mod port;
pub mod raw;
pub mod schema;
pub mod site;
