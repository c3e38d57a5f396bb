//! Certificates that were read before: a site shows the same ones check after check.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rustls::pki_types::CertificateDer;

use crate::domain::check::Certificate;
use crate::tls::certificate;

/// Paths remembered; at 3 KiB each 12 MiB. Beyond, all are forgotten.
const PATHS_MAX: usize = 4096;

/// What was read of verified paths, by all their bytes.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Vec<CertificateDer<'static>>, Option<Certificate>>>);

impl Known {
    /// As [`certificate::read`] of a verified path.
    pub(super) fn read(&self, path: &Vec<CertificateDer<'static>>) -> Option<Certificate> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = known.get(path) {
            return certificate.clone();
        }
        let read = certificate::read(path, true);
        if known.len() >= PATHS_MAX {
            known.clear();
        }
        known.insert(path.clone(), read.clone());
        read
    }
}
