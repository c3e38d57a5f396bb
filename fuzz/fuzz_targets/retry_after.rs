//! The value of `Retry-After`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::http::retry_after;

fuzz_target!(|value: &str| {
    let _ = retry_after::parse(value, Timestamp::from_ms(1_795_377_600_000));
});
