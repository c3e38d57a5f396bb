//! The text of a `[[source]]`: entries with unique names, or a refusal in printable text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sitewatch::config::source_lists::entry::InForce;
use sitewatch::config::source_lists::read::read;

fuzz_target!(|text: &[u8]| {
    let told = match read(text, InForce::default()) {
        Ok(list) => {
            let names = list.entries.iter().map(|entry| entry.name.as_str());
            assert!(names.is_sorted_by(|one, next| one < next));
            list.skipped.sentence().unwrap_or_default()
        }
        Err(why) => why.to_string(),
    };
    assert!(!told.chars().any(char::is_control), "{told:?}");
});
