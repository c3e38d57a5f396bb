//! Other tools' configurations to a `monitors.toml`.

mod blackbox;
mod gatus;
mod kuma;
mod page;
mod statuses;
mod urls;
mod yaml;

pub use blackbox::blackbox;
pub use gatus::gatus;
pub use kuma::uptime_kuma;
pub use page::{ImportError, Imported};
pub use urls::urls;
