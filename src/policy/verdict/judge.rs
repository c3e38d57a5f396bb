//! Turns what a probe saw into what it means.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use super::assertion;
use super::bot_protection;
use super::bounded;
pub use super::content::release;
use super::content::{self, Content};
use super::evidence;
use super::reservation::{Limits, ends_first, reservation};
use super::said::{Found, SHOWN_CHARS, failure_of};
use super::small_pattern::{SEARCHED_BYTES_MAX, is_small_pattern};
use crate::domain::check::{
    Chain, Check, Failure, FailureKind, HttpVersion, Micros, Redirect, Timings, Verdict,
};
use crate::domain::duration_text::Human;
use crate::domain::evidence::{Keep, RawEvidence};
use crate::domain::expectation::{Expectation, JsonTest, TextMatch};
use crate::domain::probe::{Answer, End, Hop, Probe};
use crate::domain::redaction::{self, Masks};
use crate::domain::safe_text;
use crate::domain::status_code;
use crate::domain::subject::{NO_RIGHT_TO_PING, SubjectKind};
use crate::domain::target::Target;

/// Texts may be searched for, and JSON be read, in so much there: at worst half a millisecond.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Judges one probe. Of several failures the first in this order counts: transport, redirect, HTTP version, status,
/// final URL, header, body, JSON, slow, certificate expiring.
pub fn judge(expectation: &Expectation, target: &Target, probe: Probe) -> Check {
    judge_or_fail(expectation, target, probe).0
}

/// As [`judge`], with the message of a panic where judging ended in one. The answer brought it about, so that it counts
/// as the site's failure, like any other bad answer: of a site that always sends one somebody hears.
pub fn judge_or_fail(
    expectation: &Expectation,
    target: &Target,
    probe: Probe,
) -> (Check, Option<String>) {
    let judged = judge_and_keep(expectation, target, probe, Keep::Nothing);
    (judged.check, judged.panic)
}

/// What came of judging an answer.
#[derive(Debug)]
pub struct Judged {
    /// What it means.
    pub check: Check,
    /// The message of a panic that it brought about.
    pub panic: Option<String>,
    /// What is kept of it.
    pub evidence: Option<Box<RawEvidence>>,
}

/// As [`judge_or_fail`], with what is kept of the answer.
pub fn judge_and_keep(
    expectation: &Expectation,
    target: &Target,
    mut probe: Probe,
    keep: Keep,
) -> Judged {
    let masks = &target.masks;
    let said = |found: Found| failure_of(masks, found);
    let limits = Limits {
        degraded_after: expectation.degraded_after.fixed(),
        certificate_expiry: &expectation.certificate_expiry,
    };
    let (certificate, root) = ends_first(
        limits,
        probe.certificate.take(),
        probe.root.as_deref(),
        probe.started,
    );
    let mut read = None;
    let (verdict, excerpt, panic) = match &mut probe.end {
        End::Answered(answer) => {
            let judged = caught(|| {
                let (unmet, content) = unmet(expectation, target, &probe.redirects, answer);
                let excerpt = unmet
                    .as_ref()
                    .and_then(|_| excerpt(answer, content.as_ref(), masks));
                let kept = content.filter(|_| evidence::is_kept(keep, unmet.is_some()));
                let kept = kept.map(|content| evidence::read(&content, unmet.is_some()));
                (unmet, excerpt, kept)
            });
            match judged {
                Ok((Some(found), excerpt, kept)) => {
                    read = kept;
                    (Verdict::Down(said(found)), excerpt, None)
                }
                Ok((None, _, kept)) => {
                    read = kept;
                    let (timings, certificate) = (&probe.timings, certificate.as_ref());
                    match reservation(limits, timings, certificate, root, probe.started) {
                        Some(found) => (Verdict::Degraded(said(found)), None, None),
                        None => (Verdict::Up, None, None),
                    }
                }
                Err(panic) => (
                    Verdict::Down(said(panicked(expectation))),
                    None,
                    Some(panic),
                ),
            }
        }
        End::Refused { kind, detail } => {
            let found = (*kind, std::mem::take(detail));
            (Verdict::Down(said(found)), None, None)
        }
        End::Failed {
            kind,
            detail,
            header,
            ..
        } => {
            let failure = said((*kind, std::mem::take(detail)));
            let verdict = match kind {
                FailureKind::Local => Verdict::Unknown(failure),
                _ => Verdict::Down(failure),
            };
            match caught(|| excerpt(header.as_deref()?, None, masks)) {
                Ok(excerpt) => (verdict, excerpt, None),
                Err(panic) => (verdict, None, Some(panic)),
            }
        }
    };
    probe.certificate = certificate;
    let is_bad = matches!(verdict, Verdict::Down(_));
    let kept = evidence::is_kept(keep, is_bad)
        .then(|| Box::new(evidence::of(&mut probe, read, is_bad, masks)));
    if let Some(body) = body_of(&mut probe) {
        content::release(body);
    }
    Judged {
        check: check(probe, verdict, excerpt),
        panic,
        evidence: kept,
    }
}

/// Takes out what is left of an answer's body.
pub fn body_of(probe: &mut Probe) -> Option<Vec<u8>> {
    let answer = match &mut probe.end {
        End::Answered(answer) => answer,
        End::Failed { header, .. } => header.as_deref_mut()?,
        End::Refused { .. } => return None,
    };
    Some(std::mem::take(&mut answer.body))
}

/// The check of a probe whose body nobody came to read, and was taken out. What was wrong before the body mattered is
/// told; else the check is unknown, for a reason that is ours.
pub fn judge_unread(
    expectation: &Expectation,
    target: &Target,
    probe: Probe,
    why: &str,
) -> (Check, Option<String>) {
    let is_known = match &probe.end {
        End::Failed { .. } | End::Refused { .. } => true,
        End::Answered(answer) => !expectation.status.contains(answer.hop.status),
    };
    if !is_known {
        let verdict = Verdict::Unknown(Failure {
            kind: FailureKind::Local,
            detail: why.into(),
        });
        return (check(probe, verdict, None), None);
    }
    let (mut check, panic) = judge_or_fail(expectation, target, probe);
    check.excerpt = None;
    (check, panic)
}

/// Puts together what was seen and what it means.
fn check(probe: Probe, verdict: Verdict, excerpt: Option<Arc<str>>) -> Check {
    let (final_url, remote_addr, answer) = match probe.end {
        End::Answered(answer) => (answer.hop.url.clone(), answer.hop.remote_addr, Some(answer)),
        End::Refused { .. } => {
            let last = probe.redirects.last();
            let url = last.map(|hop| hop.url.clone()).unwrap_or_default();
            (url, last.and_then(|hop| hop.remote_addr), None)
        }
        End::Failed {
            url,
            remote_addr,
            header,
            ..
        } => (url, remote_addr, header.map(|header| *header)),
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
        chain: Arc::new(bounded::chain(Chain {
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
            final_url: final_url.into(),
            remote_addr,
        })),
        timings: probe.timings,
        http_version: answer.as_ref().map(|answer| answer.http_version),
        body_bytes: answer.as_ref().map_or(0, |answer| answer.body_bytes),
        retry_after_s: answer.as_ref().and_then(|answer| answer.retry_after_s),
        certificate: probe.certificate,
        excerpt,
        remarks: probe.remarks.into(),
        extras: None,
    }
}

/// Runs what an answer could make panic.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // What it left half done is the body, which nobody looks at then.
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| safe_text::of_panic(&*panic))
}

/// What is said of an answer that made us panic.
fn panicked(expectation: &Expectation) -> Found {
    let kind = if !expectation.json.is_empty() {
        FailureKind::Json
    } else if expectation.reads_body() {
        FailureKind::Body
    } else {
        FailureKind::Protocol
    };
    let detail = "sitewatch failed while it judged this answer: a fault of its own that the answer triggers; \
                  its log says where";
    (kind, detail.to_owned())
}

/// Whether judging a probe costs next to nothing, whatever the site sent: there is nothing to decode, and what is
/// searched is short. Anything else is not for the thread that starts checks.
pub fn is_light(expectation: &Expectation, probe: &Probe) -> bool {
    let answer = match &probe.end {
        End::Answered(answer) => answer,
        // Only the excerpt is made.
        End::Failed {
            header: Some(answer),
            ..
        } => return content::codings(answer).is_empty() && answer.body.len() <= READ_BYTES_MAX,
        End::Refused { .. } | End::Failed { header: None, .. } => return true,
    };
    // What a pattern looks at counts more: at worst each byte meets each state of it.
    let mut searched = 0;
    let (urls, fields) = (expectation.final_url.iter(), expectation.headers.iter());
    let mut matches = urls.chain(fields.map(|(_, want)| want));
    if !matches.all(is_small) {
        return false;
    }
    if let Some(TextMatch::Pattern(_)) = &expectation.final_url {
        searched += answer.hop.url.len();
    }
    if !expectation.headers.is_empty() {
        let fields = &answer.headers;
        searched += fields.iter().map(|(_, value)| value.len()).sum::<usize>();
    }
    let good_status = expectation.status.contains(answer.hop.status);
    // What is large is given back in pieces, which takes a while.
    let plain = content::codings(answer).is_empty() && answer.body.len() <= READ_BYTES_MAX;
    if !good_status || !expectation.reads_body() {
        return plain && searched <= SEARCHED_BYTES_MAX;
    }
    let has_paths = !expectation.json.is_empty();
    let light_paths = expectation.json.iter().all(|assertion| {
        assertion.path.is_singular() && !matches!(assertion.test, JsonTest::Matches(_))
    });
    if !expectation.body_matches.is_empty() {
        if !expectation
            .body_matches
            .iter()
            .all(|pattern| is_small_pattern(pattern.as_str()))
        {
            return false;
        }
        searched += answer.body.len() * expectation.body_matches.len();
    }
    let wanted = expectation.body_contains.len() + expectation.body_excludes.len();
    let read = answer.body.len() * (wanted + usize::from(has_paths) + expectation.json.len());
    plain && light_paths && searched <= SEARCHED_BYTES_MAX && read <= READ_BYTES_MAX
}

fn is_small(want: &TextMatch) -> bool {
    match want {
        TextMatch::Exact(_) => true,
        TextMatch::Pattern(pattern) => is_small_pattern(pattern.as_str()),
    }
}

/// The same check for a person at a terminal, who wants to know what was seen: a fault of our own host
/// is told as the failure it looks like from here, with its true cause in the detail.
#[must_use]
pub fn as_seen(mut check: Check) -> Check {
    if let Verdict::Unknown(failure) = &check.verdict
        && failure.kind == FailureKind::Local
        && *failure.detail != *NO_RIGHT_TO_PING
    {
        let kind = match check.timings {
            _ if check.kind() == SubjectKind::Icmp => FailureKind::ConnectUnreachable,
            Timings { body: Some(_), .. } => FailureKind::TimeoutBody,
            Timings {
                connect: Some(_), ..
            } => FailureKind::ConnectUnreachable,
            Timings { dns: Some(_), .. } => FailureKind::DnsTimeout,
            _ => FailureKind::TlsHandshake,
        };
        check.verdict = Verdict::Down(Failure {
            kind,
            detail: Arc::clone(&failure.detail),
        });
    }
    check
}

/// The first expectation that a complete answer does not meet, and its body as far as it was read for that.
fn unmet(
    expectation: &Expectation,
    target: &Target,
    redirects: &[Hop],
    answer: &mut Answer,
) -> (Option<Found>, Option<Content>) {
    #[cfg(test)]
    assert!(answer.header(tests::PANIC_FIELD).is_none(), "on purpose");
    if let Some(wanted) = target.http.asked()
        && answer.http_version != wanted
    {
        return (Some(other_version(wanted, answer)), None);
    }
    if !expectation.status.contains(answer.hop.status) {
        let detail = status_detail(expectation, redirects, answer);
        return (Some((FailureKind::Status, detail)), None);
    }
    if let Some(want) = &expectation.final_url
        && !is_final_url(want, &answer.hop.url, &target.masks)
    {
        let detail = format!(
            "it ended at {}, not at {}",
            safe_text::middle(&redaction::shown(&answer.hop.url), SHOWN_CHARS),
            assertion::shown_match(want)
        );
        return (Some((FailureKind::FinalUrl, detail)), None);
    }
    if let Some(detail) = assertion::unmet_header(&expectation.headers, answer) {
        return (Some((FailureKind::Header, detail)), None);
    }
    if !expectation.reads_body() {
        return (None, None);
    }
    let max = usize::try_from(target.max_body).unwrap_or(usize::MAX);
    let content = Content::of(answer, max);
    (assertion::unmet_body(expectation, &content), Some(content))
}

/// The final answer came by another version of HTTP than the one that is asked for.
fn other_version(wanted: HttpVersion, answer: &Answer) -> Found {
    let came = answer.http_version;
    let why = match answer.hop.url.starts_with("http:") {
        true => "an http:// URL is never asked by it",
        false => "the server does not agree to it",
    };
    let detail = format!("the answer came by {came}, not by {wanted}: {why}");
    (FailureKind::HttpVersion, detail)
}

fn status_detail(expectation: &Expectation, redirects: &[Hop], answer: &Answer) -> String {
    let status = answer.hop.status;
    let name = status_code::lookup(status).map_or("", |code| code.name);
    let space = if name.is_empty() { "" } else { " " };
    let mut detail = format!("{status}{space}{name}: expected {}", expectation.status);
    let followed = redirects
        .iter()
        .find(|hop| expectation.status.contains(hop.status));
    if let Some(hop) = followed {
        detail.push_str(&format!(
            "; a redirect with {} was followed, and follow_redirects = false makes it the final answer",
            hop.status
        ));
    }
    if status == 401 && answer.credentials_dropped {
        detail.push_str(
            "; credentials and user-set headers were not sent, since a redirect led to another origin",
        );
    }
    if let Some(layer) = bot_protection::signs(answer) {
        detail.push_str(&format!(
            "; this comes from {layer}, which takes the monitor for a robot, not from the site: \
             let it in there by this host's address or by its User-Agent"
        ));
    }
    if let Some(seconds) = answer.retry_after_s {
        let wait = Human(Duration::from_secs(u64::from(seconds)));
        detail.push_str(&format!("; Retry-After: {wait}"));
    }
    detail
}

/// Whether the final URL is the wanted one: as recorded, or without its fragment or userinfo.
fn is_final_url(want: &TextMatch, url: &str, masks: &Masks) -> bool {
    let without_fragment = url.split('#').next().unwrap_or(url);
    let starred = ["***:***@", "***@"];
    let without_userinfo = starred.iter().find_map(|user| {
        let at = url.find("://")? + 3;
        let rest = url.get(at..)?.strip_prefix(user)?;
        Some(format!("{}{rest}", &url[..at]))
    });
    let forms: [&str; 3] = [
        url,
        without_fragment,
        without_userinfo.as_deref().unwrap_or(url),
    ];
    match want {
        TextMatch::Pattern(pattern) => forms.iter().any(|form| pattern.is_match(form)),
        TextMatch::Exact(exact) => {
            // Written by a person: `https://example.com` is `https://example.com/`.
            let normal = url::Url::parse(exact).map_or_else(|_| exact.clone(), String::from);
            let masked = masks.apply(&normal);
            forms
                .iter()
                .any(|form| *form == masked || *form == exact.as_str())
        }
    }
}

fn excerpt(answer: &Answer, content: Option<&Content>, masks: &Masks) -> Option<Arc<str>> {
    content::excerpt(answer, content, masks).map(Into::into)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
pub(crate) mod tests;
