//! What arrives from another machine of a cluster: observations, the log of two hubs, lists.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sitewatch::wire::{frame, hub_log, list};

fuzz_target!(|bytes: &[u8]| {
    let _ = frame::unpack(bytes);
    if let Ok((_, packed)) = frame::read_head(bytes) {
        let _ = frame::unpack(packed);
    }
    let _ = hub_log::unpack(bytes);
    if let Ok((_, body)) = hub_log::read(bytes) {
        let _ = hub_log::unpack(body);
    }
    let _ = list::read(bytes);
});
