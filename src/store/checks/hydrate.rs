//! From the numbers of a stored check back to the check.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};

use super::chain_codec::Way;
use super::extras_codec;
use super::hour_block::{Context, Row, unpack_rest};
use crate::domain::check::{
    Certificate, Chain, Check, CheckState, Failure, FailureKind, HttpVersion, Micros, Redirect,
    Timings, Verdict,
};
use crate::domain::timestamp::Timestamp;
use crate::store::error::{Result, StoreError};

/// Beyond this many values of a sort the cache is emptied.
const CACHED_MAX: usize = 50_000;

/// A cache of looked-up values.
#[derive(Debug, Default)]
pub(in crate::store) struct Resolver {
    ways: RefCell<HashMap<i64, (Arc<Way>, i64)>>,
    chains: RefCell<HashMap<(i64, i64), Arc<Chain>>>,
    failures: RefCell<HashMap<i64, Failure>>,
    certificates: RefCell<HashMap<i64, Option<Arc<Certificate>>>>,
}

/// The columns that [`journal_row`] reads, in its order.
pub(in crate::store) const JOURNAL_COLUMNS: &str = "at, interval_ms, state, failure_id, status, chain_id, peers_id, \
     certificate_id, http_version, retry_after_s, body_bytes, dns_us, connect_us, tls_us, ttfb_us, body_us, \
     total_us, redirects_us";

/// A row of the journal; `first` is the place of `at` among the columns.
pub(in crate::store) fn journal_row(row: &SqlRow<'_>, first: usize) -> Result<Row> {
    let (redirects, extras) = match row.get::<_, Option<Vec<u8>>>(first + 17)? {
        Some(bytes) => unpack_rest(&bytes)?,
        None => (Vec::new(), Vec::new()),
    };
    Ok(Row {
        at: row.get(first)?,
        context: Context {
            interval_ms: row.get(first + 1)?,
            state: row.get(first + 2)?,
            failure: row.get::<_, Option<i64>>(first + 3)?.unwrap_or(0),
            status: row.get::<_, Option<u16>>(first + 4)?.unwrap_or(0),
            chain: row.get(first + 5)?,
            peers: row.get(first + 6)?,
            certificate: row.get::<_, Option<i64>>(first + 7)?.unwrap_or(0),
            http_version: row.get::<_, Option<u8>>(first + 8)?.unwrap_or(0),
            retry_after: row
                .get::<_, Option<u32>>(first + 9)?
                .map_or(0, |seconds| u64::from(seconds) + 1),
        },
        body_bytes: row.get::<_, i64>(first + 10)?.cast_unsigned(),
        phases: [
            row.get(first + 11)?,
            row.get(first + 12)?,
            row.get(first + 13)?,
            row.get(first + 14)?,
            row.get(first + 15)?,
        ],
        total: row.get(first + 16)?,
        redirects,
        extras,
    })
}

/// The word of a stored verdict.
pub(in crate::store) const fn state_of(number: u8) -> CheckState {
    match number {
        0 => CheckState::Up,
        1 => CheckState::Degraded,
        2 => CheckState::Down,
        _ => CheckState::Unknown,
    }
}

impl Resolver {
    /// The check of a row.
    pub(in crate::store) fn check(&self, connection: &Connection, row: &Row) -> Result<Check> {
        let context = &row.context;
        let chain = self.chain(connection, context.chain, context.peers)?;
        let mut redirect_times: Vec<Micros> =
            row.redirects.iter().copied().map(Micros::new).collect();
        redirect_times.resize(chain.redirects.len(), Micros::new(0));
        Ok(Check {
            chain,
            redirect_times: redirect_times.into(),
            certificate: self.certificate(connection, context.certificate)?,
            ..self.outline(connection, row)?
        })
    }

    /// The check of a row without its redirect chain and its certificate, which a line of a table does not show.
    pub(in crate::store) fn outline(&self, connection: &Connection, row: &Row) -> Result<Check> {
        let context = &row.context;
        let verdict = match state_of(context.state) {
            CheckState::Up => Verdict::Up,
            CheckState::Degraded => Verdict::Degraded(self.failure(connection, context.failure)?),
            CheckState::Down => Verdict::Down(self.failure(connection, context.failure)?),
            CheckState::Unknown => Verdict::Unknown(self.failure(connection, context.failure)?),
        };
        let [dns, connect, tls, ttfb, body] = row.phases.map(|phase| phase.map(Micros::new));
        Ok(Check {
            at: Timestamp::from_ms(row.at),
            verdict,
            status: (context.status != 0).then_some(context.status),
            chain: Arc::default(),
            redirect_times: Box::default(),
            timings: Timings {
                dns,
                connect,
                tls,
                ttfb,
                body,
                total: Micros::new(row.total),
            },
            http_version: match context.http_version {
                10 => Some(HttpVersion::Http10),
                11 => Some(HttpVersion::Http11),
                20 => Some(HttpVersion::Http2),
                30 => Some(HttpVersion::Http3),
                _ => None,
            },
            body_bytes: row.body_bytes,
            retry_after_s: context
                .retry_after
                .checked_sub(1)
                .and_then(|seconds| u32::try_from(seconds).ok()),
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: extras_codec::decode(&row.extras)?,
        })
    }

    /// The shape of a chain: equal where codes and URLs without query and fragment are.
    pub(in crate::store) fn shape(&self, connection: &Connection, id: i64) -> Result<i64> {
        Ok(self.way(connection, id)?.1)
    }

    fn way(&self, connection: &Connection, id: i64) -> Result<(Arc<Way>, i64)> {
        if let Some(known) = self.ways.borrow().get(&id) {
            return Ok(known.clone());
        }
        let found: Option<(String, i64)> = connection
            .prepare_cached("SELECT way, shape FROM chains WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (text, shape) = found.ok_or_else(|| lost("chain", id))?;
        let known = (Arc::new(serde_json::from_str::<Way>(&text)?), shape);
        remember(&self.ways, id, known.clone());
        Ok(known)
    }

    fn chain(&self, connection: &Connection, way: i64, peers: i64) -> Result<Arc<Chain>> {
        if let Some(known) = self.chains.borrow().get(&(way, peers)) {
            return Ok(Arc::clone(known));
        }
        let (stored, _) = self.way(connection, way)?;
        let text: Option<String> = connection
            .prepare_cached("SELECT addresses FROM peers WHERE id = ?1")?
            .query_row([peers], |row| row.get(0))
            .optional()?;
        let text = text.ok_or_else(|| lost("list of addresses", peers))?;
        let mut addresses = text
            .split(' ')
            .map(|address| address.parse::<SocketAddr>().ok());
        let redirects = stored
            .redirects
            .iter()
            .map(|(url, status, location)| Redirect {
                url: url.clone(),
                status: *status,
                location: location.clone(),
                remote_addr: addresses.next().flatten(),
            })
            .collect();
        let chain = Arc::new(Chain {
            redirects,
            final_url: stored.final_url.as_str().into(),
            remote_addr: addresses.next().flatten(),
        });
        remember(&self.chains, (way, peers), Arc::clone(&chain));
        Ok(chain)
    }

    fn failure(&self, connection: &Connection, id: i64) -> Result<Failure> {
        if let Some(known) = self.failures.borrow().get(&id) {
            return Ok(known.clone());
        }
        let found: Option<(String, String)> = connection
            .prepare_cached("SELECT kind, detail FROM failures WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (kind, detail) = found.ok_or_else(|| lost("failure", id))?;
        let failure = Failure {
            kind: FailureKind::parse(&kind)
                .ok_or_else(|| StoreError::Damaged(format!("`{kind}` is not a kind of failure")))?,
            detail: detail.into(),
        };
        remember(&self.failures, id, failure.clone());
        Ok(failure)
    }

    fn certificate(&self, connection: &Connection, id: i64) -> Result<Option<Arc<Certificate>>> {
        if id == 0 {
            return Ok(None);
        }
        if let Some(known) = self.certificates.borrow().get(&id) {
            return Ok(known.clone());
        }
        let found = connection
            .prepare_cached(
                "SELECT fingerprint, not_after, not_before, subject, issuer FROM certificates WHERE id = ?1",
            )?
            .query_row([id], |row| {
                Ok(Certificate {
                    fingerprint: row.get::<_, i64>(0)?.cast_unsigned(),
                    not_after: Timestamp::from_ms(row.get(1)?),
                    not_before: Timestamp::from_ms(row.get(2)?),
                    subject: row.get(3)?,
                    issuer: row.get(4)?,
                })
            })
            .optional()?;
        let certificate = Some(Arc::new(found.ok_or_else(|| lost("certificate", id))?));
        remember(&self.certificates, id, certificate.clone());
        Ok(certificate)
    }
}

fn remember<K: std::hash::Hash + Eq, V>(cache: &RefCell<HashMap<K, V>>, key: K, value: V) {
    let mut cache = cache.borrow_mut();
    if cache.len() >= CACHED_MAX {
        cache.clear();
    }
    cache.insert(key, value);
}

fn lost(what: &str, id: i64) -> StoreError {
    StoreError::Damaged(format!("{what} {id} is missing"))
}
