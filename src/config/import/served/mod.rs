//! What this machine serves: the host names in the configuration of a web server or reverse proxy.

mod caddy;
mod nginx;
mod place;
mod traefik;

pub use caddy::caddy;
pub use nginx::nginx;
pub use traefik::traefik;
