//! The prober and the judge against scripted servers.

mod failures;
mod http;
mod names;
mod redirects;
mod tls;
