//! Gives the values that many checks share their numbers, and keeps their count bounded.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::chain_codec::{Way, shape};
use super::hour_block::Context;
use crate::domain::check::{Certificate, Chain, Check, Failure};
use crate::domain::monitor::MonitorId;
use crate::store::error::Result;

/// How many of its last values of each sort a monitor remembers: a site that alternates between a few is
/// served from memory.
const REMEMBERED: usize = 8;
/// New chains, address lists, failures or certificates of one monitor in a day that are stored as they are.
/// A Location with a nonce makes every chain new; after that many only what is stable of it is kept.
const NEW_A_DAY: u16 = 200;
/// Bytes of chains of one monitor in a day, by how much was cut of them: whole, without queries, without paths,
/// without hosts. A chain of three hops with nonces has 5 KiB at most: 200 of them are kept whole. A site that sends
/// the longest URLs in ever new paths costs 1.4 MB a day; beyond that its chains are counted, not kept.
const CHAIN_BYTES_A_DAY: [usize; Way::CUTS as usize] = [1 << 20, 256 << 10, 128 << 10, 32 << 10];
/// Bytes of the words of failures of one monitor in a day. The usual ones have 60; quoting what a site sends can make
/// them long, and other words each time.
const FAILURE_BYTES_A_DAY: usize = 128 << 10;

/// The numbers given, newest first, by monitor.
#[derive(Debug, Default)]
pub(in crate::store) struct Interner {
    monitors: HashMap<MonitorId, Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What the newest check had; most sites have nothing else for days.
    newest: Option<Newest>,
    /// What a site has that changes.
    others: Option<Box<Others>>,
    budget: Budget,
}

/// The values of one check with their numbers.
#[derive(Debug)]
struct Newest {
    chain: Arc<Chain>,
    certificate: Option<Arc<Certificate>>,
    chain_id: i64,
    peers_id: i64,
    certificate_id: i64,
    /// The day on which all of them were last marked as used.
    day: i32,
}

#[derive(Debug, Default)]
struct Others {
    chains: Recent<Arc<Chain>>,
    /// The chains whose addresses they are.
    peers: Recent<Arc<Chain>>,
    failures: Recent<Failure>,
    certificates: Recent<Arc<Certificate>>,
}

#[derive(Debug, Default)]
struct Budget {
    day: i32,
    chains: u16,
    /// By the cuts that were made.
    chain_bytes: [u32; Way::CUTS as usize],
    failure_bytes: u32,
    peers: u16,
    failures: u16,
    certificates: u16,
}

/// The newest few values with their numbers and the day they were last marked as used.
#[derive(Debug)]
struct Recent<T>(Box<[(T, i64, i32)]>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> Recent<T> {
    /// The number of a value that is still remembered, with whether it must be marked as used.
    fn find(&mut self, day: i32, same: impl Fn(&T) -> bool) -> Option<(i64, bool)> {
        let place = self.0.iter().position(|(value, ..)| same(value))?;
        self.0[..=place].rotate_right(1);
        let first = &mut self.0[0];
        let stale = first.2 < day;
        first.2 = first.2.max(day);
        Some((first.1, stale))
    }

    fn put(&mut self, value: T, id: i64, day: i32) {
        // Most monitors have one value of a sort for ever: exactly as large as needed.
        let older = std::mem::take(&mut self.0).into_iter();
        let newest = std::iter::once((value, id, day));
        self.0 = newest.chain(older.take(REMEMBERED - 1)).collect();
    }

    /// Remembers a value that may be there already.
    fn keep(&mut self, value: T, id: i64, day: i32, same: impl Fn(&T) -> bool) {
        match self.0.iter_mut().find(|(known, ..)| same(known)) {
            Some(known) => known.2 = known.2.max(day),
            None => self.put(value, id, day),
        }
    }
}

impl Interner {
    /// Forgets everything, since what was inserted was rolled back or swept. Budgets stay spent.
    pub(in crate::store) fn forget(&mut self) {
        for known in self.monitors.values_mut() {
            known.newest = None;
            known.others = None;
        }
    }

    /// The context of a check, every shared value stored.
    pub(in crate::store) fn context(
        &mut self,
        connection: &Connection,
        monitor: MonitorId,
        check: &Check,
        interval_ms: i64,
    ) -> Result<Context> {
        let day = i32::try_from(check.at.as_ms().div_euclid(86_400_000)).unwrap_or(i32::MAX);
        let known = self.monitors.entry(monitor).or_default();
        if known.budget.day != day {
            known.budget = Budget {
                day,
                ..Budget::default()
            };
        }
        let shared = known.shared(connection, check, day)?;
        Ok(Context {
            state: state_number(check),
            http_version: check.http_version.map_or(0, |version| match version {
                crate::domain::check::HttpVersion::Http10 => 10,
                crate::domain::check::HttpVersion::Http11 => 11,
                crate::domain::check::HttpVersion::Http2 => 20,
                crate::domain::check::HttpVersion::Http3 => 30,
            }),
            status: check.status.unwrap_or(0),
            failure: match check.verdict.failure() {
                None => 0,
                Some(failure) => known.failure(connection, failure, day)?,
            },
            chain: shared.chain,
            peers: shared.peers,
            certificate: shared.certificate,
            retry_after: check
                .retry_after_s
                .map_or(0, |seconds| u64::from(seconds) + 1),
            interval_ms,
        })
    }
}

/// The number of a verdict, as in the column `state`.
pub(super) fn state_number(check: &Check) -> u8 {
    match check.verdict.state() {
        crate::domain::check::CheckState::Up => 0,
        crate::domain::check::CheckState::Degraded => 1,
        crate::domain::check::CheckState::Down => 2,
        crate::domain::check::CheckState::Unknown => 3,
    }
}

impl Budget {
    /// Whether a new chain of this length still fits after so many cuts; then it is spent.
    fn takes_chain(&mut self, cut: u32, bytes: usize) -> bool {
        let level = cut as usize;
        let (Some(spent), Some(most)) = (
            self.chain_bytes.get_mut(level),
            CHAIN_BYTES_A_DAY.get(level),
        ) else {
            // Of those without anything there is one.
            return true;
        };
        let sum = (*spent as usize).saturating_add(bytes);
        let allowed = u32::from(NEW_A_DAY) * (cut + 1);
        if u32::from(self.chains) >= allowed || sum > *most {
            return false;
        }
        *spent = u32::try_from(sum).unwrap_or(u32::MAX);
        self.chains = self.chains.saturating_add(1);
        true
    }
}

/// The numbers of what most checks of a site share.
struct Shared {
    chain: i64,
    peers: i64,
    /// Zero where there is none.
    certificate: i64,
}

/// A number, and whether the value may be remembered by it.
type Numbered = (i64, bool);

impl Known {
    fn others(&mut self) -> &mut Others {
        self.others.get_or_insert_default()
    }

    fn shared(&mut self, connection: &Connection, check: &Check, day: i32) -> Result<Shared> {
        let chain = &check.chain;
        if let Some(newest) = &mut self.newest
            && same_way(&newest.chain, chain)
            && peers_of(&newest.chain).eq(peers_of(chain))
            && newest.certificate == check.certificate
        {
            let shared = Shared {
                chain: newest.chain_id,
                peers: newest.peers_id,
                certificate: newest.certificate_id,
            };
            let stale = newest.day < day;
            used(connection, "chains", shared.chain, day, stale)?;
            used(connection, "peers", shared.peers, day, stale)?;
            if newest.certificate.is_some() {
                used(connection, "certificates", shared.certificate, day, stale)?;
            }
            newest.day = newest.day.max(day);
            return Ok(shared);
        }
        if let Some(newest) = self.newest.take() {
            self.others().displaced(newest);
        }
        let (chain_id, keep_chain) = self.chain(connection, chain, day)?;
        let (peers_id, keep_peers) = self.peers(connection, chain, day)?;
        let (certificate_id, keep_certificate) = match &check.certificate {
            None => (0, true),
            Some(certificate) => self.certificate(connection, certificate, day)?,
        };
        let newest = Newest {
            chain: Arc::clone(chain),
            certificate: check.certificate.clone(),
            chain_id,
            peers_id,
            certificate_id,
            day,
        };
        if keep_chain && keep_peers && keep_certificate {
            self.newest = Some(newest);
        } else {
            let others = self.others();
            if keep_chain {
                others.keep_chain(&newest);
            }
            if keep_peers {
                others.keep_peers(&newest);
            }
            if keep_certificate {
                others.keep_certificate(&newest);
            }
        }
        Ok(Shared {
            chain: chain_id,
            peers: peers_id,
            certificate: certificate_id,
        })
    }

    fn chain(&mut self, connection: &Connection, chain: &Arc<Chain>, day: i32) -> Result<Numbered> {
        let others = self.others.as_mut();
        let known = others.and_then(|others| others.chains.find(day, |one| same_way(one, chain)));
        if let Some((id, stale)) = known {
            return Ok((used(connection, "chains", id, day, stale)?, true));
        }
        let mut way = Way::of(chain);
        let mut text = way.to_json();
        let mut cut = 0;
        loop {
            let digest = digest(&text);
            let mut find = connection
                .prepare_cached("SELECT id FROM chains WHERE digest = ?1 AND way = ?2")?;
            let found = find
                .query_row((digest, &text), |row| row.get(0))
                .optional()?;
            if let Some(id) = found {
                return Ok((used(connection, "chains", id, day, true)?, cut == 0));
            }
            if self.budget.takes_chain(cut, text.len()) {
                connection
                    .prepare_cached(
                        "INSERT INTO chains (digest, shape, way, used_day) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute((digest, shape(&way), &text, day))?;
                return Ok((connection.last_insert_rowid(), cut == 0));
            }
            // A cut that takes nothing away makes no room.
            let before = text;
            text = before.clone();
            while text == before && cut < Way::CUTS {
                cut += 1;
                way = way.cut(cut);
                text = way.to_json();
            }
        }
    }

    fn peers(&mut self, connection: &Connection, chain: &Arc<Chain>, day: i32) -> Result<Numbered> {
        let others = self.others.as_mut();
        let same = |one: &Arc<Chain>| peers_of(one).eq(peers_of(chain));
        if let Some((id, stale)) = others.and_then(|others| others.peers.find(day, same)) {
            return Ok((used(connection, "peers", id, day, stale)?, true));
        }
        let mut text = addresses(peers_of(chain));
        let mut find = connection.prepare_cached("SELECT id FROM peers WHERE addresses = ?1")?;
        let mut found = find.query_row([&text], |row| row.get(0)).optional()?;
        if found.is_none() && self.budget.peers >= NEW_A_DAY {
            // Only the address that gave the verdict; then none.
            let none = chain.redirects.iter().map(|_| None);
            let end = (self.budget.peers < 2 * NEW_A_DAY).then_some(chain.remote_addr);
            text = addresses(none.chain([end.flatten()]));
            found = find.query_row([&text], |row| row.get(0)).optional()?;
        }
        let id = match found {
            Some(id) => used(connection, "peers", id, day, true)?,
            None => {
                self.budget.peers = self.budget.peers.saturating_add(1);
                connection
                    .prepare_cached("INSERT INTO peers (addresses, used_day) VALUES (?1, ?2)")?
                    .execute((&text, day))?;
                connection.last_insert_rowid()
            }
        };
        Ok((id, self.budget.peers < NEW_A_DAY))
    }

    fn failure(&mut self, connection: &Connection, failure: &Failure, day: i32) -> Result<i64> {
        if let Some((id, stale)) = self.others().failures.find(day, |known| known == failure) {
            return used(connection, "failures", id, day, stale);
        }
        let kind = failure.kind.as_str();
        let mut find =
            connection.prepare_cached("SELECT id FROM failures WHERE kind = ?1 AND detail = ?2")?;
        let mut detail = &*failure.detail;
        let mut found = find
            .query_row((kind, detail), |row| row.get(0))
            .optional()?;
        let bytes = (self.budget.failure_bytes as usize).saturating_add(detail.len());
        let is_spent = self.budget.failures >= NEW_A_DAY || bytes > FAILURE_BYTES_A_DAY;
        if found.is_none() && is_spent {
            detail = "(the words differ each time; not kept)";
            found = find
                .query_row((kind, detail), |row| row.get(0))
                .optional()?;
        }
        let id = match found {
            Some(id) => used(connection, "failures", id, day, true)?,
            None => {
                self.budget.failures = self.budget.failures.saturating_add(1);
                let bytes = (self.budget.failure_bytes as usize).saturating_add(detail.len());
                self.budget.failure_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                connection
                    .prepare_cached(
                        "INSERT INTO failures (kind, detail, used_day) VALUES (?1, ?2, ?3)",
                    )?
                    .execute((kind, detail, day))?;
                connection.last_insert_rowid()
            }
        };
        if detail == &*failure.detail {
            self.others().failures.put(failure.clone(), id, day);
        }
        Ok(id)
    }

    fn certificate(
        &mut self,
        connection: &Connection,
        certificate: &Arc<Certificate>,
        day: i32,
    ) -> Result<Numbered> {
        let others = self.others.as_mut();
        let known =
            others.and_then(|others| others.certificates.find(day, |one| one == certificate));
        if let Some((id, stale)) = known {
            return Ok((used(connection, "certificates", id, day, stale)?, true));
        }
        let fingerprint = certificate.fingerprint.cast_signed();
        let found = connection
            .prepare_cached(
                "SELECT id FROM certificates WHERE fingerprint = ?1 AND not_after = ?2
                 AND not_before = ?3 AND subject = ?4 AND issuer = ?5",
            )?
            .query_row(
                (
                    fingerprint,
                    certificate.not_after.as_ms(),
                    certificate.not_before.as_ms(),
                    &certificate.subject,
                    &certificate.issuer,
                ),
                |row| row.get(0),
            )
            .optional()?;
        let id = match found {
            Some(id) => used(connection, "certificates", id, day, true)?,
            // A site with a new certificate for every handshake is not worth a row each.
            None if self.budget.certificates >= NEW_A_DAY => return Ok((0, false)),
            None => {
                self.budget.certificates += 1;
                connection
                    .prepare_cached(
                        "INSERT INTO certificates (fingerprint, not_after, not_before, subject, issuer, used_day)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute((
                        fingerprint,
                        certificate.not_after.as_ms(),
                        certificate.not_before.as_ms(),
                        &certificate.subject,
                        &certificate.issuer,
                        day,
                    ))?;
                connection.last_insert_rowid()
            }
        };
        Ok((id, true))
    }
}

impl Others {
    /// What the newest check had until another came.
    fn displaced(&mut self, newest: Newest) {
        self.keep_chain(&newest);
        self.keep_peers(&newest);
        self.keep_certificate(&newest);
    }

    fn keep_chain(&mut self, of: &Newest) {
        let same = |one: &Arc<Chain>| same_way(one, &of.chain);
        self.chains
            .keep(Arc::clone(&of.chain), of.chain_id, of.day, same);
    }

    fn keep_peers(&mut self, of: &Newest) {
        let same = |one: &Arc<Chain>| peers_of(one).eq(peers_of(&of.chain));
        self.peers
            .keep(Arc::clone(&of.chain), of.peers_id, of.day, same);
    }

    fn keep_certificate(&mut self, of: &Newest) {
        if let Some(certificate) = &of.certificate {
            let same = |one: &Arc<Certificate>| one == certificate;
            self.certificates
                .keep(Arc::clone(certificate), of.certificate_id, of.day, same);
        }
    }
}

fn peers_of(chain: &Chain) -> impl Iterator<Item = Option<SocketAddr>> {
    let hops = chain.redirects.iter().map(|redirect| redirect.remote_addr);
    hops.chain([chain.remote_addr])
}

fn same_way(a: &Chain, b: &Chain) -> bool {
    a.final_url == b.final_url
        && a.redirects.len() == b.redirects.len()
        && a.redirects
            .iter()
            .zip(&b.redirects)
            .all(|(a, b)| a.status == b.status && a.url == b.url && a.location == b.location)
}

/// Marks a value as used on a day, so that retention keeps it; at most once a day.
pub(in crate::store) fn used(
    connection: &Connection,
    table: &str,
    id: i64,
    day: impl Into<i64>,
    stale: bool,
) -> Result<i64> {
    if stale {
        connection
            .prepare_cached(&format!(
                "UPDATE {table} SET used_day = ?2 WHERE id = ?1 AND used_day < ?2"
            ))?
            .execute((id, day.into()))?;
    }
    Ok(id)
}

fn addresses(list: impl Iterator<Item = Option<SocketAddr>>) -> String {
    let mut text = String::new();
    for address in list {
        if !text.is_empty() {
            text.push(' ');
        }
        match address {
            Some(address) => write!(text, "{address}").expect("a String takes all"),
            None => text.push('-'),
        }
    }
    text
}

fn digest(text: &str) -> i64 {
    let hash = Sha256::digest(text.as_bytes());
    let first = hash.first_chunk::<8>().expect("SHA-256 has 32 bytes");
    i64::from_be_bytes(*first)
}
