//! Trust anchors: the system's, and those of a `ca_file`.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

use super::certificate;
use super::der::rewrite;
use super::effort;
use crate::domain::certificates;
use crate::domain::probe::RootEnd;
use crate::domain::timestamp::Timestamp;

type End = Option<Arc<RootEnd>>;
type NameAndKey<'a> = (&'a [u8], &'a [u8]);

/// Anchors, and beside each when the last of those with its name and key ends: an authority renews its root with the
/// same key. `None` where one has no known end.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    pub(super) list: Vec<TrustAnchor<'static>>,
    pub(super) ends: Vec<End>,
    /// What it costs at most to find the right one among those of one name, in the units of the effort: there are
    /// several where an authority changes its key and keeps its name.
    pub(super) search_units: u32,
}

impl Anchors {
    fn new(all: Vec<(TrustAnchor<'static>, End)>) -> Self {
        let (list, ends): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let mut last: HashMap<NameAndKey<'_>, End> = HashMap::new();
        for (anchor, end) in list.iter().zip(&ends) {
            let known = last
                .entry((&anchor.subject, &anchor.subject_public_key_info))
                .or_insert_with(|| end.clone());
            *known = match (known.take(), end) {
                (Some(known), Some(end)) if end.not_after > known.not_after => Some(end.clone()),
                (Some(known), Some(_)) => Some(known),
                _ => None,
            };
        }
        let ends = list
            .iter()
            .map(|anchor| {
                last.get(&(
                    anchor.subject.as_ref(),
                    anchor.subject_public_key_info.as_ref(),
                ))
                .cloned()
                .flatten()
            })
            .collect();
        let search_units = search_units(last.into_keys());
        Self {
            list,
            ends,
            search_units,
        }
    }

    fn all(&self) -> impl Iterator<Item = (TrustAnchor<'static>, End)> {
        self.list.iter().cloned().zip(self.ends.iter().cloned())
    }

    /// Those that end later than a moment.
    pub(super) fn later_than(&self, moment: Timestamp) -> Self {
        let (list, ends) = self
            .all()
            .filter(|(_, end)| end.as_ref().is_none_or(|end| end.not_after > moment))
            .unzip();
        Self {
            list,
            ends,
            search_units: self.search_units,
        }
    }
}

/// The units of all anchors, each once, whose name others have too.
fn search_units<'a>(anchors: impl Iterator<Item = NameAndKey<'a>>) -> u32 {
    let mut names: HashMap<&[u8], (usize, u32)> = HashMap::new();
    for (name, key_info) in anchors {
        let (count, units) = names.entry(name).or_default();
        *count += 1;
        *units += effort::units_of(key_info);
    }
    let shared = names.into_values().filter(|(count, _)| *count > 1);
    shared.map(|(_, units)| units).sum()
}

/// An anchor of a trusted certificate, in whatever version it is.
fn anchor(der: &CertificateDer<'_>) -> Option<(TrustAnchor<'static>, End)> {
    let anchor = match anchor_from_trusted_cert(der) {
        Ok(anchor) => anchor.to_owned(),
        Err(_) => {
            let rewritten = rewrite(der, false)?;
            anchor_from_trusted_cert(&rewritten.der).ok()?.to_owned()
        }
    };
    Some((anchor, certificate::end(der).map(Arc::new)))
}

/// The trust anchors of this system.
#[derive(Debug, Clone)]
pub struct SystemAnchors(pub(super) Arc<Anchors>);

impl SystemAnchors {
    /// The system's own, or Mozilla's built in where it has none.
    pub fn load() -> Self {
        let found = rustls_native_certs::load_native_certs().certs;
        let mut anchors: Vec<_> = found.iter().filter_map(anchor).collect();
        if anchors.is_empty() {
            let built_in = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
            anchors = built_in.map(|anchor| (anchor, None)).collect();
        }
        Self(Arc::new(Anchors::new(anchors)))
    }
}

/// Which certificates are trusted.
#[derive(Debug)]
pub struct Trust {
    pub(super) anchors: Arc<Anchors>,
    /// Certificates of the `ca_file`. Each is trusted by itself, too: a self-signed server certificate given as its
    /// own anchor is one, although webpki takes no anchor as an end entity.
    pub(super) pinned: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The system's anchors and those of a `ca_file`.
    ///
    /// # Errors
    /// One line when the `ca_file` is of no use.
    pub fn new(system: &SystemAnchors, ca_pem: Option<&[u8]>) -> Result<Self, String> {
        let Some(pem) = ca_pem else {
            return Ok(Self {
                anchors: Arc::clone(&system.0),
                pinned: Vec::new(),
            });
        };
        let pinned: Vec<CertificateDer<'static>> = certificates::of_file(pem)
            .map_err(|error| format!("ca_file {error}"))?
            .into_iter()
            .map(CertificateDer::from)
            .collect();
        let mut anchors: Vec<_> = system.0.all().collect();
        anchors.extend(pinned.iter().filter_map(anchor));
        Ok(Self {
            anchors: Arc::new(Anchors::new(anchors)),
            pinned,
        })
    }

    /// Whether a certificate is trusted by itself.
    pub(super) fn names(&self, der: &CertificateDer<'_>) -> bool {
        self.pinned.iter().any(|pinned| pinned == der)
    }
}
