//! The prober and the judge against scripted servers.

mod certificates;
mod content;
mod curl;
mod failures;
mod http;
mod local;
mod lookups;
mod names;
mod ports;
mod proxies;
mod redirects;
mod stream;
mod tls;
