//! The prober and the judge against scripted servers.

mod addresses;
mod answers;
mod certificates;
mod connect_to;
mod content;
mod curl;
mod cuts;
mod failures;
mod http;
mod http2;
#[cfg(feature = "http3")]
mod http3;
mod local;
mod lookups;
mod names;
#[cfg(feature = "http3")]
mod offered;
mod pings;
mod ports;
mod proxies;
mod redirects;
mod stream;
mod tls;
