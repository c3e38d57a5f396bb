//! Which of the certificates that a server sent a path may need.
//!
//! Path building is exponential in certificates of one name, and the other side chooses them.

use rustls::pki_types::CertificateDer;

use super::der::Outline;

/// Up to so many are taken as they come: a healthy chain sends one to three.
const ALL_UP_TO: usize = 4;

/// Certificates of one name that are looked at: a key that changes and cross-signatures make four.
const OF_ONE_NAME_MAX: usize = 4;

/// Authorities above one another in a path, as webpki has it.
const DEPTH_MAX: usize = 6;

/// Certificates that are handed on.
const CHOSEN_MAX: usize = 12;

/// The certificates that lead upwards from the leaf by their names; of those of one name first the ones whose key is
/// the one that the certificate below names.
pub(super) fn select<'a>(
    leaf: &[u8],
    sent: &'a [CertificateDer<'a>],
) -> Vec<&'a CertificateDer<'a>> {
    if sent.len() <= ALL_UP_TO {
        return sent.iter().collect();
    }
    let Some(leaf) = Outline::read(leaf) else {
        return sent.iter().take(ALL_UP_TO).collect();
    };
    let outlines: Vec<(&CertificateDer<'_>, Outline<'_>)> = sent
        .iter()
        .filter_map(|der| Some((der, Outline::read(der)?)))
        .collect();
    let mut chosen: Vec<&CertificateDer<'_>> = Vec::new();
    let mut names_done: Vec<&[u8]> = Vec::new();
    let mut level = vec![leaf];
    for _ in 0..DEPTH_MAX {
        let mut above = Vec::new();
        for below in level {
            if names_done.contains(&below.issuer) {
                continue;
            }
            names_done.push(below.issuer);
            let wanted = below.issuer_key_id();
            let mut issuers: Vec<_> = outlines
                .iter()
                .filter(|(_, outline)| outline.subject == below.issuer)
                .collect();
            issuers.sort_by_key(|(_, outline)| match (wanted, outline.key_id()) {
                (Some(wanted), Some(id)) if wanted == id => 0,
                (Some(_), Some(_)) => 2,
                _ => 1,
            });
            for (der, outline) in issuers.into_iter().take(OF_ONE_NAME_MAX) {
                if chosen.len() < CHOSEN_MAX && !chosen.contains(der) {
                    chosen.push(der);
                    above.push(*outline);
                }
            }
        }
        level = above;
    }
    chosen
}
