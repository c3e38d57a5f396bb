//! The `Location` of a redirect: it leads to a host by HTTP, or the chain ends with a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sitewatch::policy::http::redirect;
use url::Url;

fuzz_target!(|location: &[u8]| {
    let base = Url::parse("http://example.com/a/b?c#d").expect("a URL");
    match redirect::destination(&base, &[location]) {
        Ok(url) => {
            assert!(matches!(url.scheme(), "http" | "https"));
            assert!(url.has_host() && url.username().is_empty());
            let _ = redirect::private_literal(&url);
        }
        Err(why) => assert!(!why.chars().any(char::is_control), "{why:?}"),
    }
});
