//! What a connection showed beside its answer: the certificate, its root, what was let pass.

use std::sync::Arc;

use super::certificate_cache::Known;
use super::exchange::{Exchange, Route};
use crate::domain::check::Certificate;
use crate::domain::probe::RootEnd;
use crate::domain::redaction::Masks;
use crate::tls::{certificate, words};

/// What was seen of TLS.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The certificate, where one was shown.
    pub(super) certificate: Option<Arc<Certificate>>,
    /// The trusted root of its path, where it ends before all else in it.
    pub(super) root: Option<Arc<RootEnd>>,
    /// A certificate fault that was let pass.
    pub(super) let_pass: Option<String>,
}

/// Collects them, masked.
pub(super) fn facts(known: &Known, exchange: &Exchange, route: &Route<'_>, masks: &Masks) -> Facts {
    let seen = &exchange.seen;
    let masked = |text: String| match masks.is_empty() {
        true => text,
        false => masks.apply(&text).into_owned(),
    };
    let mut facts = Facts::default();
    if !seen.certificates.is_empty() {
        let read = match seen.fault {
            None => known.read(&seen.certificates),
            Some(_) => certificate::read(&seen.certificates, false).map(Arc::new),
        };
        let end = read.as_ref().map(|certificate| certificate.not_after);
        let is_first = |root: &&Arc<RootEnd>| end.is_some_and(|end| root.not_after < end);
        facts.root = seen.anchor.as_ref().filter(is_first).cloned();
        facts.certificate = match masks.is_empty() {
            true => read,
            false => read.map(|certificate| Arc::new(without_secrets(&certificate, masks))),
        };
    }
    if let Some(fault) = &seen.fault
        && !route.verify_tls
    {
        let (_, detail) = words::certificate(fault, &seen.certificates, route.host());
        let remark = format!("certificate fault let pass (verify_tls = false): {detail}");
        facts.let_pass = Some(masked(remark));
    }
    facts
}

/// The same with the values of secrets masked in its names.
fn without_secrets(certificate: &Certificate, masks: &Masks) -> Certificate {
    Certificate {
        subject: masks.apply(&certificate.subject).into_owned(),
        issuer: masks.apply(&certificate.issuer).into_owned(),
        ..certificate.clone()
    }
}
