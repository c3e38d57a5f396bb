//! One check.

use std::sync::Arc;

use super::fields::{Fields, WireError, put_addr, put_bytes, put_text};
use crate::domain::check::{
    Certificate, Chain, Check, Extras, Failure, FailureKind, HttpVersion, Micros, Redirect,
    Timings, Verdict,
};
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;
use crate::domain::varint;

/// A chain has at most 50 redirects.
const REDIRECTS_MAX: usize = 64;
/// Remarks are few.
const REMARKS_MAX: usize = 16;
/// What other kinds than HTTP add; answers of a name server beyond that stay at the probe.
const EXTRAS_BYTES_MAX: usize = 64 * 1024;
/// The first bytes of an answer, for a mail.
const EXCERPT_BYTES_MAX: usize = 8 * 1024;

/// Which parts of a check are there, one bit each; the lowest two are its state.
mod has {
    pub(super) const STATUS: u64 = 1 << 2;
    pub(super) const REDIRECTS: u64 = 1 << 3;
    pub(super) const REMOTE: u64 = 1 << 4;
    pub(super) const PHASES: [u64; 5] = [1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9];
    pub(super) const HTTP: u64 = 1 << 10;
    pub(super) const RETRY: u64 = 1 << 11;
    pub(super) const CERTIFICATE: u64 = 1 << 12;
    pub(super) const EXCERPT: u64 = 1 << 13;
    pub(super) const REMARKS: u64 = 1 << 14;
    pub(super) const EXTRAS: u64 = 1 << 15;
    pub(super) const ALL: u64 = (1 << 16) - 1;
}

/// Appends a check; its time is told from `base`.
pub(super) fn put(out: &mut Vec<u8>, check: &Check, base: Timestamp) {
    let extras = check
        .extras
        .as_deref()
        .and_then(|extras| serde_json::to_vec(extras).ok())
        .filter(|json| json.len() <= EXTRAS_BYTES_MAX);
    let chain = &check.chain;
    let timings = &check.timings;
    let phases = timings.phases().map(|(_, time)| time);
    let mut flags = match &check.verdict {
        Verdict::Up => 0,
        Verdict::Degraded(_) => 1,
        Verdict::Down(_) => 2,
        Verdict::Unknown(_) => 3,
    };
    let mut flag = |is_there: bool, bit: u64| flags |= if is_there { bit } else { 0 };
    flag(check.status.is_some(), has::STATUS);
    flag(!chain.redirects.is_empty(), has::REDIRECTS);
    flag(chain.remote_addr.is_some(), has::REMOTE);
    for (phase, bit) in phases.iter().zip(has::PHASES) {
        flag(phase.is_some(), bit);
    }
    flag(check.http_version.is_some(), has::HTTP);
    flag(check.retry_after_s.is_some(), has::RETRY);
    flag(check.certificate.is_some(), has::CERTIFICATE);
    flag(check.excerpt.is_some(), has::EXCERPT);
    flag(!check.remarks.is_empty(), has::REMARKS);
    flag(extras.is_some(), has::EXTRAS);
    varint::put(out, flags);
    varint::put_signed(out, check.at.as_ms().saturating_sub(base.as_ms()));
    if let Some(failure) = check.verdict.failure() {
        put_text(out, failure.kind.as_str());
        put_text(out, &failure.detail);
    }
    if let Some(status) = check.status {
        varint::put(out, status.into());
    }
    put_text(out, &chain.final_url);
    if let Some(addr) = chain.remote_addr {
        put_addr(out, addr);
    }
    if !chain.redirects.is_empty() {
        put_redirects(out, check);
    }
    for time in phases.into_iter().flatten().chain([timings.total]) {
        varint::put(out, time.get().into());
    }
    if let Some(version) = check.http_version {
        put_text(out, version.as_str());
    }
    varint::put(out, check.body_bytes);
    if let Some(seconds) = check.retry_after_s {
        varint::put(out, seconds.into());
    }
    if let Some(certificate) = &check.certificate {
        put_certificate(out, certificate);
    }
    if let Some(excerpt) = &check.excerpt {
        let end = excerpt.floor_char_boundary(EXCERPT_BYTES_MAX);
        put_bytes(out, excerpt.get(..end).unwrap_or_default().as_bytes());
    }
    if !check.remarks.is_empty() {
        let count = check.remarks.len().min(REMARKS_MAX);
        varint::put(out, count as u64);
        for remark in check.remarks.iter().take(count) {
            put_text(out, remark);
        }
    }
    if let Some(json) = extras {
        put_bytes(out, &json);
    }
}

fn put_redirects(out: &mut Vec<u8>, check: &Check) {
    let redirects = &check.chain.redirects;
    let count = redirects.len().min(REDIRECTS_MAX);
    varint::put(out, count as u64);
    for (index, redirect) in redirects.iter().take(count).enumerate() {
        put_text(out, &redirect.url);
        varint::put(out, redirect.status.into());
        out.push(
            u8::from(redirect.location.is_some()) | u8::from(redirect.remote_addr.is_some()) << 1,
        );
        if let Some(location) = &redirect.location {
            put_text(out, location);
        }
        if let Some(addr) = redirect.remote_addr {
            put_addr(out, addr);
        }
        let time = check.redirect_times.get(index).copied().unwrap_or_default();
        varint::put(out, time.get().into());
    }
}

fn put_certificate(out: &mut Vec<u8>, certificate: &Certificate) {
    varint::put_signed(out, certificate.not_after.as_ms());
    varint::put_signed(out, certificate.not_before.as_ms());
    put_text(out, &certificate.subject);
    put_text(out, &certificate.issuer);
    out.extend(certificate.fingerprint.to_le_bytes());
}

/// Takes a check off the front.
pub(super) fn take(fields: &mut Fields<'_>, base: Timestamp) -> Result<Check, WireError> {
    let flags = fields.number()?;
    if flags & !has::ALL != 0 {
        return Err(WireError::Damaged("a check has parts of no known kind"));
    }
    let is_there = |bit: u64| flags & bit != 0;
    let at = Timestamp::from_ms(base.as_ms().saturating_add(fields.signed()?));
    let verdict = take_verdict(fields, flags & 3)?;
    let status = is_there(has::STATUS).then(|| fields.small()).transpose()?;
    let final_url: Arc<str> = fields.line()?.into();
    let remote_addr = is_there(has::REMOTE).then(|| fields.addr()).transpose()?;
    let (redirects, redirect_times) = match is_there(has::REDIRECTS) {
        true => take_redirects(fields)?,
        false => Default::default(),
    };
    let mut phase = |bit| {
        let time = is_there(bit).then(|| fields.small::<u32>()).transpose();
        time.map(|time| time.map(Micros::new))
    };
    let [dns, connect, tls, ttfb, body] = has::PHASES;
    let timings = Timings {
        dns: phase(dns)?,
        connect: phase(connect)?,
        tls: phase(tls)?,
        ttfb: phase(ttfb)?,
        body: phase(body)?,
        total: Micros::new(fields.small()?),
    };
    let http_version = is_there(has::HTTP)
        .then(|| take_version(fields))
        .transpose()?;
    let body_bytes = fields.number()?;
    let retry_after_s = is_there(has::RETRY).then(|| fields.small()).transpose()?;
    let certificate = is_there(has::CERTIFICATE)
        .then(|| take_certificate(fields))
        .transpose()?;
    let excerpt = is_there(has::EXCERPT)
        .then(|| fields.raw_text(EXCERPT_BYTES_MAX))
        .transpose()?
        .map(|text| safe_text::block(text).into());
    let remarks = match is_there(has::REMARKS) {
        true => {
            let count = fields.count(REMARKS_MAX)?;
            (0..count)
                .map(|_| fields.line())
                .collect::<Result<_, _>>()?
        }
        false => Box::default(),
    };
    let extras = is_there(has::EXTRAS)
        .then(|| take_extras(fields))
        .transpose()?;
    Ok(Check {
        at,
        verdict,
        status,
        chain: Arc::new(Chain {
            redirects,
            final_url,
            remote_addr,
        }),
        redirect_times,
        timings,
        http_version,
        body_bytes,
        retry_after_s,
        certificate,
        excerpt,
        remarks,
        extras,
    })
}

fn take_verdict(fields: &mut Fields<'_>, state: u64) -> Result<Verdict, WireError> {
    if state == 0 {
        return Ok(Verdict::Up);
    }
    let kind = FailureKind::parse(&fields.line()?).ok_or(WireError::Damaged(
        "a failure of a kind that this version does not know",
    ))?;
    let failure = Failure {
        kind,
        detail: fields.line()?.into(),
    };
    Ok(match state {
        1 => Verdict::Degraded(failure),
        2 => Verdict::Down(failure),
        _ => Verdict::Unknown(failure),
    })
}

fn take_redirects(fields: &mut Fields<'_>) -> Result<(Vec<Redirect>, Box<[Micros]>), WireError> {
    let count = fields.count(REDIRECTS_MAX)?;
    let mut redirects = Vec::with_capacity(count);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let url = fields.line()?;
        let status = fields.small()?;
        let parts = fields.byte()?;
        redirects.push(Redirect {
            url,
            status,
            location: (parts & 1 != 0).then(|| fields.line()).transpose()?,
            remote_addr: (parts & 2 != 0).then(|| fields.addr()).transpose()?,
        });
        times.push(Micros::new(fields.small()?));
    }
    Ok((redirects, times.into()))
}

fn take_version(fields: &mut Fields<'_>) -> Result<HttpVersion, WireError> {
    let word = fields.line()?;
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|_| WireError::Damaged("a version of HTTP that this version does not know"))
}

fn take_certificate(fields: &mut Fields<'_>) -> Result<Arc<Certificate>, WireError> {
    Ok(Arc::new(Certificate {
        not_after: Timestamp::from_ms(fields.signed()?),
        not_before: Timestamp::from_ms(fields.signed()?),
        subject: fields.line()?,
        issuer: fields.line()?,
        fingerprint: u64::from_le_bytes(fields.array()?),
    }))
}

fn take_extras(fields: &mut Fields<'_>) -> Result<Box<Extras>, WireError> {
    let json = fields.raw_text(EXTRAS_BYTES_MAX)?;
    // Escapes in JSON could bring what no line may have.
    if safe_text::first_unsafe(json).is_some() || json.contains("\\u") {
        return Err(WireError::Damaged(
            "the facts of a check have odd characters",
        ));
    }
    serde_json::from_str(json)
        .map_err(|_| WireError::Damaged("the facts of a check cannot be read"))
}
