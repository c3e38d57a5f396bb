//! Certificates that were read before: a site shows the same ones check after check.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;

use crate::domain::check::Certificate;
use crate::tls::certificate;

/// Paths remembered; at 0.3 KiB each 5 MiB. Beyond, all are forgotten.
const PATHS_MAX: usize = 16_384;

/// What was read of verified paths, by the SHA-256 of all their bytes.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<[u8; 32], Option<Arc<Certificate>>>>);

impl Known {
    /// As [`certificate::read`] of a verified path. Who shows the same path shares what was read of it.
    pub(super) fn read(&self, path: &[CertificateDer<'_>]) -> Option<Arc<Certificate>> {
        let key = digest(path);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = known.get(&key) {
            return certificate.clone();
        }
        let read = certificate::read(path, true).map(Arc::new);
        if known.len() >= PATHS_MAX {
            known.clear();
        }
        known.insert(key, read.clone());
        read
    }
}

/// Of each certificate its length and its bytes, so that no two paths are one text.
fn digest(path: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for der in path {
        context.update(&(der.len() as u64).to_be_bytes());
        context.update(der);
    }
    let digest = context.finish();
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_differ_by_where_a_certificate_ends() {
        let path = |parts: &[&[u8]]| -> Vec<CertificateDer<'static>> {
            let owned = parts.iter().map(|part| part.to_vec().into());
            owned.collect()
        };
        let one = digest(&path(&[b"ab", b"c"]));
        assert_eq!(one, digest(&path(&[b"ab", b"c"])));
        for other in [&[&b"a"[..], b"bc"][..], &[b"abc"], &[b"ab", b"c", b""]] {
            assert_ne!(one, digest(&path(other)));
        }
    }

    #[test]
    fn who_shows_the_same_path_shares_what_was_read() {
        let made = rcgen::generate_simple_self_signed(["site.example".to_owned()]).expect("made");
        let path = vec![made.cert.der().clone()];
        let known = Known::default();
        let first = known.read(&path).expect("readable");
        assert!(Arc::ptr_eq(&first, &known.read(&path).expect("remembered")));
        assert!(known.read(&[b"no certificate".to_vec().into()]).is_none());
    }
}
