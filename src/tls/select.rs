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

/// Certificates that are handed on: a path of six, or one of three with two for each name.
const CHOSEN_MAX: usize = 8;

/// What they take together. All are read again at each step of each way; an intermediate certificate has 1 to 2 KiB.
const CHOSEN_BYTES_MAX: usize = 24 * 1024;

/// Of those that an authority issued to itself (a new key signed by the old one). Their order doubles the ways.
const SELF_ISSUED_MAX: usize = 2;

/// The certificates that lead upwards from the leaf by their names; of those of one name first the ones whose key is
/// the one that the certificate below names.
pub(super) fn select<'a>(
    leaf: &[u8],
    sent: &'a [CertificateDer<'a>],
) -> Vec<&'a CertificateDer<'a>> {
    let all_bytes: usize = sent.iter().map(|der| der.len()).sum();
    if sent.len() <= ALL_UP_TO && all_bytes <= CHOSEN_BYTES_MAX {
        return sent.iter().collect();
    }
    let Some(leaf) = Outline::read(leaf) else {
        return Vec::new();
    };
    let outlines: Vec<(&CertificateDer<'_>, Outline<'_>)> = sent
        .iter()
        .filter_map(|der| Some((der, Outline::read(der)?)))
        .collect();
    let mut chosen: Vec<&CertificateDer<'_>> = Vec::new();
    let mut names_done: Vec<&[u8]> = Vec::new();
    let (mut bytes_left, mut self_issued_left) = (CHOSEN_BYTES_MAX, SELF_ISSUED_MAX);
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
                let is_self_issued = outline.issuer == outline.subject;
                // One that leads back to where we were makes circles.
                let leads_on = match is_self_issued {
                    true => self_issued_left > 0,
                    false => !names_done.contains(&outline.issuer),
                };
                let has_room = chosen.len() < CHOSEN_MAX && der.len() <= bytes_left;
                if !leads_on || !has_room || chosen.contains(der) {
                    continue;
                }
                self_issued_left -= usize::from(is_self_issued);
                bytes_left -= der.len();
                chosen.push(der);
                above.push(*outline);
            }
        }
        level = above;
    }
    chosen
}
