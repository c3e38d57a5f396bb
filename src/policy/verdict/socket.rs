//! Turns what a probe of a port saw into what it means.

use std::sync::Arc;

use super::reservation::{self, Limits};
use super::said::{Found, SHOWN_CHARS, failure_of};
use crate::domain::check::{Chain, Check, FailureKind, Verdict};
use crate::domain::duration_text::Exact;
use crate::domain::observed::{Silence, SocketEnd, SocketProbe};
use crate::domain::redaction::Masks;
use crate::domain::safe_text;
use crate::domain::subject::{Subject, TcpManner, TlsManner};

/// An excerpt has at most this many characters.
const EXCERPT_CHARS: usize = 500;

/// Judges one visit of `tcp://` or `tls://`. Of several failures the first in this order counts: transport, body, slow,
/// certificate expiring.
pub fn judge(subject: &Subject, probe: SocketProbe) -> Check {
    let (manner, tls) = match subject {
        Subject::Tcp(tcp) => (&*tcp.manner, None),
        Subject::Tls(tls) => (&*tls.tcp.manner, Some(&*tls.tls)),
        Subject::Http(_) | Subject::Icmp(_) | Subject::Dns(_) => {
            return of_another_kind(subject, probe);
        }
    };
    judged(subject.url_text(), manner, tls, probe)
}

/// No prober makes such a pair.
fn of_another_kind(subject: &Subject, probe: SocketProbe) -> Check {
    let found = (
        FailureKind::Local,
        "the probe was of another kind of monitor".to_owned(),
    );
    let verdict = Verdict::Unknown(failure_of(subject.masks(), found));
    check(subject.url_text(), subject.masks(), probe, verdict, None)
}

fn judged(
    url: &Arc<str>,
    manner: &TcpManner,
    tls: Option<&TlsManner>,
    mut probe: SocketProbe,
) -> Check {
    let masks = &manner.masks;
    let limits = Limits {
        degraded_after: manner.degraded_after.fixed(),
        certificate_expiry: tls.map_or(&[], |tls| &*tls.certificate_expiry),
    };
    let (certificate, root) = reservation::ends_first(
        limits,
        probe.certificate.take(),
        probe.root.as_deref(),
        probe.started,
    );
    let (verdict, excerpt) = match &mut probe.end {
        SocketEnd::Met => {
            let found = reservation::reservation(
                limits,
                &probe.timings,
                certificate.as_ref(),
                root,
                probe.started,
            );
            match found {
                Some(found) => (Verdict::Degraded(failure_of(masks, found)), None),
                None => (Verdict::Up, None),
            }
        }
        SocketEnd::Unmatched(silence) => {
            let found = unmatched(manner, *silence, &probe.heard);
            (
                Verdict::Down(failure_of(masks, found)),
                excerpt(&probe.heard, masks),
            )
        }
        SocketEnd::Failed { kind, detail } => {
            let kind = *kind;
            let failure = failure_of(masks, (kind, std::mem::take(detail)));
            let verdict = match kind {
                FailureKind::Local => Verdict::Unknown(failure),
                _ => Verdict::Down(failure),
            };
            (verdict, excerpt(&probe.heard, masks))
        }
    };
    probe.certificate = certificate;
    check(url, masks, probe, verdict, excerpt)
}

/// What is said of a server that did not say what was expected.
fn unmatched(manner: &TcpManner, silence: Silence, heard: &[u8]) -> Found {
    let said = safe_text::middle(&lossy_line(heard, SHOWN_CHARS), SHOWN_CHARS).into_owned();
    let pattern = format!("/{}/", manner.dialogue.expect_text());
    let pattern = safe_text::line(&pattern, SHOWN_CHARS);
    let then = match silence {
        Silence::Closed => "then it closed the connection".to_owned(),
        Silence::Reset => "then it reset the connection".to_owned(),
        Silence::Timeout => format!(
            "nothing more came within the timeout of {}",
            Exact(manner.timeout)
        ),
        Silence::Full => format!("{} bytes were read (max_body)", manner.max_body),
    };
    let said = match said.is_empty() {
        true => "nothing that can be printed".to_owned(),
        false => format!("`{said}`"),
    };
    (
        FailureKind::Body,
        format!("the server said {said}, which does not match {pattern}; {then}"),
    )
}

fn excerpt(heard: &[u8], masks: &Masks) -> Option<Arc<str>> {
    let text = String::from_utf8_lossy(heard);
    // Before white space is joined, and after it: a secret may hold some.
    let masked = masks.apply_to_beginning(&text);
    let line = safe_text::line(&masked, EXCERPT_CHARS);
    (!line.is_empty()).then(|| masks.apply(&line).as_ref().into())
}

/// The beginning of some bytes as one safe line.
fn lossy_line(bytes: &[u8], chars: usize) -> String {
    let begin = &bytes[..bytes.len().min(chars.saturating_mul(4))];
    let text = String::from_utf8_lossy(begin);
    safe_text::line(&text, chars).into_owned()
}

/// Puts together what was seen and what it means.
fn check(
    url: &Arc<str>,
    masks: &Masks,
    probe: SocketProbe,
    verdict: Verdict,
    excerpt: Option<Arc<str>>,
) -> Check {
    let final_url = match masks.is_empty() {
        true => Arc::clone(url),
        false => masks.apply(url).as_ref().into(),
    };
    Check {
        at: probe.started,
        verdict,
        status: None,
        chain: Arc::new(Chain {
            redirects: Vec::new(),
            final_url,
            remote_addr: probe.remote_addr,
        }),
        redirect_times: Box::default(),
        timings: probe.timings,
        http_version: None,
        body_bytes: probe.heard_bytes,
        retry_after_s: None,
        certificate: probe.certificate,
        excerpt,
        remarks: probe.remarks.into(),
        extras: None,
    }
}
