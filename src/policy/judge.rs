//! Turns what a probe saw into what it means.

use std::sync::Arc;

use crate::domain::check::{Chain, Check, Failure, FailureKind, Micros, Redirect, Verdict};
use crate::domain::expectation::Expectation;
use crate::domain::probe::{End, Probe};
use crate::domain::target::Target;

/// Judges one probe. Of several failures the first in this order counts: transport, redirect, status,
/// final URL, header, body, JSON, slow, certificate expiring.
pub fn judge(expectation: &Expectation, _target: &Target, probe: Probe) -> Check {
    let down = |kind, detail: &str| {
        Verdict::Down(Failure {
            kind,
            detail: detail.into(),
        })
    };
    let (final_url, remote_addr, answer, verdict) = match probe.end {
        End::Answered(answer) => {
            let verdict = if expectation.status.contains(answer.hop.status) {
                Verdict::Up
            } else {
                let detail = format!("{}, not {}", answer.hop.status, expectation.status);
                down(FailureKind::Status, &detail)
            };
            let remote_addr = answer.hop.remote_addr;
            (answer.hop.url.clone(), remote_addr, Some(answer), verdict)
        }
        End::Refused { kind, detail } => {
            let last = probe.redirects.last();
            let url = last.map(|hop| hop.url.clone()).unwrap_or_default();
            let remote_addr = last.and_then(|hop| hop.remote_addr);
            (url, remote_addr, None, down(kind, &detail))
        }
        End::Failed {
            kind,
            detail,
            url,
            remote_addr,
            header,
        } => {
            let verdict = match kind {
                FailureKind::Local => Verdict::Unknown(Failure {
                    kind,
                    detail: detail.as_str().into(),
                }),
                _ => down(kind, &detail),
            };
            (url, remote_addr, header.map(|header| *header), verdict)
        }
    };
    let last_redirect = probe.redirects.last().map(|hop| hop.status);
    Check {
        at: probe.started,
        verdict,
        status: answer.as_ref().map(|a| a.hop.status).or(last_redirect),
        redirect_times: probe
            .redirects
            .iter()
            .map(|hop| Micros::of(hop.took))
            .collect(),
        chain: Arc::new(Chain {
            redirects: probe
                .redirects
                .into_iter()
                .map(|hop| Redirect {
                    url: hop.url,
                    status: hop.status,
                    location: hop.location,
                    remote_addr: hop.remote_addr,
                })
                .collect(),
            final_url,
            remote_addr,
        }),
        timings: probe.timings,
        http_version: answer.as_ref().map(|answer| answer.http_version),
        body_bytes: answer.as_ref().map_or(0, |answer| answer.body_bytes),
        retry_after_s: answer.as_ref().and_then(|answer| answer.retry_after_s),
        certificate: probe.certificate.map(Arc::new),
        excerpt: None,
        remarks: probe.remarks,
    }
}
