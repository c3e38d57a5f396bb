//! A body that is asserted of as JSON, and a path into it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sitewatch::domain::json::{Document, JsonPath};

fuzz_target!(|input: (String, String)| {
    let (path, text) = input;
    let _ = JsonPath::parse(&path);
    if let Ok(document) = Document::parse(text, 10_000) {
        assert!(document.root().compact(1_000).len() <= 1_100);
    }
});
