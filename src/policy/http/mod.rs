//! How HTTP is spoken: redirects, cookies, proxies, dates.

pub mod alt_svc;
pub mod cookies;
pub(super) mod date;
pub mod private_address;
pub mod proxy;
pub mod redirect;
pub mod retry_after;
