//! One address of a name, and one version of HTTP, in JSON.

use serde::Serialize;

use super::audience::Audience;
use super::json::{CertificateObject, FailureObject, Ms, failure_object};
use crate::domain::check::{AddressCheck, VersionCheck};

#[derive(Debug, Serialize)]
pub(super) struct AddressObject<'a> {
    addr: String,
    state: &'static str,
    status: Option<u16>,
    failure: Option<FailureObject<'a>>,
    total_ms: Option<Ms>,
    certificate: Option<CertificateObject<'a>>,
}

impl<'a> AddressObject<'a> {
    pub(super) fn of(one: &'a AddressCheck) -> Self {
        Self {
            addr: one.addr.to_string(),
            state: one.state.as_str(),
            status: one.status,
            failure: one
                .failure
                .as_ref()
                .map(|failure| failure_object(failure, one.status, Audience::Owner)),
            total_ms: one.total.map(Ms),
            certificate: one
                .certificate
                .as_deref()
                .map(|certificate| CertificateObject::of(certificate, Audience::Owner)),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct VersionObject<'a> {
    version: &'static str,
    state: &'static str,
    status: Option<u16>,
    failure: Option<FailureObject<'a>>,
    total_ms: Option<Ms>,
}

impl<'a> VersionObject<'a> {
    pub(super) fn of(one: &'a VersionCheck, audience: Audience) -> Self {
        Self {
            version: one.version.as_str(),
            state: one.state.as_str(),
            status: one.status,
            failure: one
                .failure
                .as_ref()
                .map(|failure| failure_object(failure, one.status, audience)),
            total_ms: one.total.map(Ms),
        }
    }
}
