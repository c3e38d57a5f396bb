//! Other tools' configurations to a `monitors.toml`.

mod blackbox;
mod channels;
mod documents;
mod email;
mod gatus;
mod go_duration;
mod kuma;
mod name_servers;
mod names;
mod parts;
mod proxy;
mod served;
mod sitemap;
mod status_conditions;
mod table;
mod toml_writer;
mod upptime;
mod urls;
mod yaml;

pub use blackbox::blackbox;
pub use gatus::gatus;
pub use kuma::{uptime_kuma, uptime_kuma_value};
pub use served::{caddy, nginx, traefik};
pub use sitemap::sitemap;
pub use table::csv;
pub use toml_writer::{Beside, ImportError, Imported, Source};
pub use upptime::upptime;
pub use urls::urls;
