//! A certificate that a server shows, and the one that signed it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sitewatch::tls::certificate;

fuzz_target!(|path: (Vec<u8>, Vec<u8>)| {
    let path = [path.0, path.1];
    for verified in [true, false] {
        if let Some(read) = certificate::read(&path, verified) {
            for name in [&read.subject, &read.issuer] {
                assert!(!name.chars().any(char::is_control), "{name:?}");
                assert!(name.chars().count() <= 200, "{name:?}");
            }
        }
    }
});
