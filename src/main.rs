//! The `sitewatch` command: everything is in the library.

fn main() {}
