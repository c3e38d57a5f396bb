//! A check without anything of HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::domain::check::{Chain, Check, Timings, Verdict};
use crate::domain::redaction::Masks;
use crate::domain::timestamp::Timestamp;

/// Puts together what was seen and what it means.
pub(super) fn of(
    url: &Arc<str>,
    masks: &Masks,
    at: Timestamp,
    timings: Timings,
    remote_addr: Option<SocketAddr>,
    verdict: Verdict,
) -> Check {
    let final_url = match masks.is_empty() {
        true => Arc::clone(url),
        false => masks.apply(url).as_ref().into(),
    };
    Check {
        at,
        verdict,
        status: None,
        chain: Arc::new(Chain {
            redirects: Vec::new(),
            final_url,
            remote_addr,
        }),
        redirect_times: Box::default(),
        timings,
        http_version: None,
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}
