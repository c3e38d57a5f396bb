//! The packed form of the checks of one hour of one monitor: about 15 bytes a check.
//!
//! A block is a version, a dictionary of contexts (all that rarely changes from check to check) and the
//! checks in order of time. Numbers are LEB128; what can be negative is zigzagged. A check is:
//! a byte of bits (context changed, body size changed, which phases happened, count of redirects changed),
//! what those announce, the time since the previous check less the interval, the phases, the total less
//! the sum of the phases, and the time of each redirect.
//!
//! Where a check has what its kind adds, the block is of the second form: a dictionary of these follows that of the
//! contexts, and each check ends with its number in it, 0 for none.

use std::collections::{HashMap, HashSet};

use crate::store::error::{Result, StoreError};

/// The form of blocks whose checks have nothing that their kind adds.
const VERSION: u8 = 1;
/// The form of the others. A reader knows all forms up to this one.
const VERSION_WITH_EXTRAS: u8 = 2;
/// More checks than one every 3.6 ms of an hour is damage, not data.
const CHECKS_MAX: u64 = 1_000_000;

const CONTEXT_CHANGED: u8 = 1;
const BYTES_CHANGED: u8 = 2;
const FIRST_PHASE: u8 = 4;
const REDIRECTS_CHANGED: u8 = 128;

/// What most checks of an hour have in common: verdict, status and the numbers of interned values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::store) struct Context {
    /// 0 up, 1 degraded, 2 down, 3 unknown.
    pub(in crate::store) state: u8,
    /// 10 or 11; 0 for none.
    pub(in crate::store) http_version: u8,
    /// 0 for none.
    pub(in crate::store) status: u16,
    /// 0 for none.
    pub(in crate::store) failure: i64,
    /// The number of the redirect chain.
    pub(in crate::store) chain: i64,
    /// The number of the addresses that the chain met.
    pub(in crate::store) peers: i64,
    /// 0 for none.
    pub(in crate::store) certificate: i64,
    /// Retry-After plus one; 0 for none.
    pub(in crate::store) retry_after: u64,
    /// The interval: the check counts for at most twice this.
    pub(in crate::store) interval_ms: i64,
}

/// One check, its shared values as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::store) struct Row {
    pub(in crate::store) at: i64,
    pub(in crate::store) context: Context,
    pub(in crate::store) body_bytes: u64,
    /// dns, connect, tls, ttfb, body.
    pub(in crate::store) phases: [Option<u32>; 5],
    pub(in crate::store) total: u32,
    pub(in crate::store) redirects: Vec<u32>,
    /// What its kind adds, encoded; empty for none.
    pub(in crate::store) extras: Vec<u8>,
}

/// Packs checks, which must be in order of time; `start` is the beginning of their hour.
pub(in crate::store) fn pack(start: i64, rows: &[Row]) -> Vec<u8> {
    let mut contexts: Vec<Context> = Vec::new();
    let mut index_of = HashMap::new();
    for row in rows {
        index_of.entry(row.context).or_insert_with(|| {
            contexts.push(row.context);
            contexts.len() - 1
        });
    }
    let extras = distinct_extras(rows);
    let mut out = Vec::with_capacity(16 * rows.len() + 24 * contexts.len() + 8);
    out.push(match extras.is_empty() {
        true => VERSION,
        false => VERSION_WITH_EXTRAS,
    });
    put(&mut out, rows.len() as u64);
    put(&mut out, contexts.len() as u64);
    for context in &contexts {
        put_context(&mut out, context);
    }
    if !extras.is_empty() {
        put(&mut out, extras.len() as u64);
        for one in &extras {
            put(&mut out, one.len() as u64);
            out.extend(*one);
        }
    }
    let number_of: HashMap<&[u8], u64> = extras.iter().copied().zip(1..).collect();
    let nothing = Row {
        at: start,
        ..Row::default()
    };
    let mut before = &nothing;
    let mut context_before = usize::MAX;
    for row in rows {
        let context = index_of[&row.context];
        let changed = (context != context_before).then_some(context);
        put_row(&mut out, row, before, changed);
        if !extras.is_empty() {
            put(&mut out, number_of.get(&*row.extras).copied().unwrap_or(0));
        }
        context_before = context;
        before = row;
    }
    out
}

/// What the kinds of these checks add, each once.
fn distinct_extras(rows: &[Row]) -> Vec<&[u8]> {
    let mut seen = HashSet::new();
    let extras = rows.iter().map(|row| &*row.extras);
    extras
        .filter(|extras| !extras.is_empty() && seen.insert(*extras))
        .collect()
}

fn put_row(out: &mut Vec<u8>, row: &Row, before: &Row, context: Option<usize>) {
    let bytes_changed = row.body_bytes != before.body_bytes;
    let redirects_changed = row.redirects.len() != before.redirects.len();
    let mut bits = 0;
    for (phase, place) in row.phases.iter().zip(0..) {
        if phase.is_some() {
            bits |= FIRST_PHASE << place;
        }
    }
    bits |= if context.is_some() {
        CONTEXT_CHANGED
    } else {
        0
    };
    bits |= if bytes_changed { BYTES_CHANGED } else { 0 };
    bits |= if redirects_changed {
        REDIRECTS_CHANGED
    } else {
        0
    };
    out.push(bits);
    if let Some(index) = context {
        put(out, index as u64);
    }
    put_signed(out, row.at - before.at - row.context.interval_ms);
    if bytes_changed {
        put(out, row.body_bytes);
    }
    let mut sum = 0;
    for phase in row.phases.iter().flatten() {
        put(out, u64::from(*phase));
        sum += i64::from(*phase);
    }
    put_signed(out, i64::from(row.total) - sum);
    if redirects_changed {
        put(out, row.redirects.len() as u64);
    }
    for redirect in &row.redirects {
        put(out, u64::from(*redirect));
    }
}

fn put_context(out: &mut Vec<u8>, context: &Context) {
    out.push(context.state);
    out.push(context.http_version);
    put(out, u64::from(context.status));
    put_signed(out, context.failure);
    put_signed(out, context.chain);
    put_signed(out, context.peers);
    put_signed(out, context.certificate);
    put(out, context.retry_after);
    put_signed(out, context.interval_ms);
}

/// Unpacks a block; `start` as it was given to [`pack`].
///
/// # Errors
/// If the bytes are not a block.
pub(in crate::store) fn unpack(start: i64, bytes: &[u8]) -> Result<Vec<Row>> {
    let (contexts, count, mut rest) = head(bytes)?;
    let extras = match bytes.first() {
        Some(&VERSION_WITH_EXTRAS) => Some(extras(&mut rest)?),
        _ => None,
    };
    let mut rows: Vec<Row> = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut context = None;
    let mut at = start;
    let mut body_bytes = 0;
    let mut redirects = 0;
    for _ in 0..count {
        let bits = rest.byte()?;
        if bits & CONTEXT_CHANGED != 0 {
            let index = usize::try_from(rest.number()?).map_err(|_| damaged())?;
            context = Some(*contexts.get(index).ok_or_else(damaged)?);
        }
        let context = context.ok_or_else(damaged)?;
        at = rest
            .signed()?
            .checked_add(at)
            .and_then(|at| at.checked_add(context.interval_ms))
            .ok_or_else(damaged)?;
        if bits & BYTES_CHANGED != 0 {
            body_bytes = rest.number()?;
        }
        let mut phases = [None; 5];
        let mut sum = 0;
        for (phase, place) in phases.iter_mut().zip(0..) {
            if bits & (FIRST_PHASE << place) != 0 {
                let micros = rest.micros()?;
                sum += i64::from(micros);
                *phase = Some(micros);
            }
        }
        let total = rest.signed()?.checked_add(sum).ok_or_else(damaged)?;
        if bits & REDIRECTS_CHANGED != 0 {
            redirects = rest.number()?;
        }
        // A redirect takes at least a byte.
        if redirects > rest.0.len() as u64 {
            return Err(damaged());
        }
        rows.push(Row {
            at,
            context,
            body_bytes,
            phases,
            total: u32::try_from(total).map_err(|_| damaged())?,
            redirects: (0..redirects)
                .map(|_| rest.micros())
                .collect::<Result<_>>()?,
            extras: match &extras {
                None => Vec::new(),
                Some(all) => extras_of(all, rest.number()?)?,
            },
        });
    }
    if rest.0.is_empty() {
        Ok(rows)
    } else {
        Err(damaged())
    }
}

/// The dictionary of what kinds add.
fn extras<'b>(rest: &mut Bytes<'b>) -> Result<Vec<&'b [u8]>> {
    let count = rest.number()?;
    // Each takes two bytes at least.
    if count > rest.0.len() as u64 {
        return Err(damaged());
    }
    (0..count)
        .map(|_| {
            let length = usize::try_from(rest.number()?).map_err(|_| damaged())?;
            let (taken, after) = rest.0.split_at_checked(length).ok_or_else(damaged)?;
            rest.0 = after;
            Ok(taken)
        })
        .collect()
}

fn extras_of(all: &[&[u8]], number: u64) -> Result<Vec<u8>> {
    let Some(index) = number.checked_sub(1) else {
        return Ok(Vec::new());
    };
    let index = usize::try_from(index).map_err(|_| damaged())?;
    Ok(all.get(index).ok_or_else(damaged)?.to_vec())
}

fn head(bytes: &[u8]) -> Result<(Vec<Context>, u64, Bytes<'_>)> {
    let mut rest = Bytes(bytes);
    if !matches!(rest.byte()?, VERSION | VERSION_WITH_EXTRAS) {
        return Err(damaged());
    }
    let count = rest.number()?;
    let distinct = rest.number()?;
    // A check takes at least three bytes, a context at least nine.
    if count > CHECKS_MAX || distinct > count || count > rest.0.len() as u64 {
        return Err(damaged());
    }
    let contexts = (0..distinct)
        .map(|_| context(&mut rest))
        .collect::<Result<_>>()?;
    Ok((contexts, count, rest))
}

fn context(rest: &mut Bytes<'_>) -> Result<Context> {
    Ok(Context {
        state: rest.byte()?,
        http_version: rest.byte()?,
        status: u16::try_from(rest.number()?).map_err(|_| damaged())?,
        failure: rest.signed()?,
        chain: rest.signed()?,
        peers: rest.signed()?,
        certificate: rest.signed()?,
        retry_after: rest.number()?,
        interval_ms: rest.signed()?,
    })
}

/// Stands between the times of redirects and what the kind adds: a number that is never written so.
const EXTRAS_FOLLOW: &[u8] = &[0x80, 0x00];

/// The times of redirects and what the kind of a check adds, as the journal has them; `None` where there is neither.
pub(in crate::store) fn pack_rest(
    micros: impl Iterator<Item = u32>,
    extras: &[u8],
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for one in micros {
        put(&mut out, u64::from(one));
    }
    if !extras.is_empty() {
        out.extend(EXTRAS_FOLLOW);
        out.extend(extras);
    }
    (!out.is_empty()).then_some(out)
}

/// The reverse of [`pack_rest`].
pub(super) fn unpack_rest(bytes: &[u8]) -> Result<(Vec<u32>, Vec<u8>)> {
    let mut rest = Bytes(bytes);
    let mut micros = Vec::new();
    while !rest.0.is_empty() {
        if let Some(extras) = rest.0.strip_prefix(EXTRAS_FOLLOW) {
            return Ok((micros, extras.to_vec()));
        }
        micros.push(rest.micros()?);
    }
    Ok((micros, Vec::new()))
}

fn put(out: &mut Vec<u8>, number: u64) {
    crate::domain::varint::put(out, number);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    crate::domain::varint::put_signed(out, number);
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64> {
        crate::domain::varint::take(&mut self.0).ok_or_else(damaged)
    }

    fn signed(&mut self) -> Result<i64> {
        crate::domain::varint::take_signed(&mut self.0).ok_or_else(damaged)
    }

    fn micros(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| damaged())
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged("a block of checks cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_row() -> impl Strategy<Value = Row> {
        let context = (0..4_u8, 0..600_u16, 0..3_i64, 1..4_i64, 0..3_u64).prop_map(
            |(state, status, failure, chain, retry_after)| Context {
                state,
                status,
                failure,
                chain,
                retry_after,
                interval_ms: 60_000,
                ..Context::default()
            },
        );
        (
            context,
            0..3_600_000_i64,
            0..3_u64,
            prop::array::uniform5(prop::option::of(any::<u32>())),
            any::<u32>(),
            prop::collection::vec(any::<u32>(), 0..4),
            prop::collection::vec(1..3_u8, 0..2),
        )
            .prop_map(
                |(context, at, body_bytes, phases, total, redirects, extras)| Row {
                    at,
                    context,
                    body_bytes,
                    phases,
                    total,
                    redirects,
                    extras,
                },
            )
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn what_is_packed_comes_back(mut rows in prop::collection::vec(any_row(), 0..80)) {
            rows.sort_by_key(|row| row.at);
            prop_assert_eq!(unpack(5, &pack(5, &rows)).unwrap(), rows);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(0, &bytes);
            for version in [VERSION, VERSION_WITH_EXTRAS] {
                let mut versioned = vec![version];
                versioned.extend(&bytes);
                let _ = unpack(0, &versioned);
            }
        }
    }

    #[test]
    fn an_ordinary_hour_takes_few_bytes_a_check() {
        let rows: Vec<Row> = (0..60)
            .map(|minute: u32| Row {
                at: i64::from(minute) * 60_000 + i64::from(minute * 7 % 40),
                context: Context {
                    interval_ms: 60_000,
                    status: 200,
                    chain: 70_000,
                    peers: 70_000,
                    certificate: 900,
                    ..Context::default()
                },
                body_bytes: 48_231,
                phases: [
                    Some(1200),
                    Some(10_500),
                    Some(22_000),
                    Some(40_000 + minute),
                    Some(3000),
                ],
                total: 76_900 + minute,
                redirects: vec![21_400],
                extras: Vec::new(),
            })
            .collect();
        let packed = pack(0, &rows);
        assert_eq!(packed[0], VERSION);
        let size = packed.len();
        assert!(size <= 60 * 21, "{size} bytes");
        // What is the same at each check is stored once an hour.
        let answers = vec![7; 200];
        let with_extras: Vec<Row> = rows
            .into_iter()
            .map(|row| Row {
                extras: answers.clone(),
                ..row
            })
            .collect();
        let more = pack(0, &with_extras).len() - size;
        assert!(more <= 200 + 60 + 4, "{more} bytes");
    }

    #[test]
    fn redirects_and_extras_stay_apart() {
        for (micros, extras) in [
            (&[][..], &b""[..]),
            (&[0, 1, 127, 128, 16_384, u32::MAX], b""),
            (&[], b"\x80\x00\x01"),
            (&[0, 128], b"\x01"),
        ] {
            let packed = pack_rest(micros.iter().copied(), extras);
            assert_eq!(packed.is_none(), micros.is_empty() && extras.is_empty());
            let (times, rest) = unpack_rest(&packed.unwrap_or_default()).unwrap();
            assert_eq!((&*times, &*rest), (micros, extras));
        }
    }
}
