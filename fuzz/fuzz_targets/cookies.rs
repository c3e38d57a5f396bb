//! `Set-Cookie` lines of a site, and the header that the next request carries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::http::cookies::Jar;
use url::Url;

fuzz_target!(|lines: Vec<&[u8]>| {
    let url = Url::parse("https://www.example.com/a/b?c").expect("a URL");
    let now = Timestamp::from_ms(1_795_377_600_000);
    let mut jar = Jar::default();
    jar.keep(&url, lines.into_iter(), now);
    let header = jar.header(&url, now);
    assert!(!header.contains(&b'\r') && !header.contains(&b'\n'));
});
