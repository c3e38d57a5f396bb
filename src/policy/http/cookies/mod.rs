//! Cookies for the length of one check, by a browser's rules (RFC 6265 and its successor's draft).

mod jar;
mod set_cookie;
mod suffix;

pub use jar::Jar;
