//! How long good checks took, counted in buckets that grow by 4 %: percentiles within 2 %, and sums of any
//! hours and days give the same as if everything had been counted at once.

use crate::domain::check::Micros;
use crate::domain::varint;

/// Up to here a bucket is one microsecond wide; from there on 4 %.
const LAST_EXACT: u32 = 25;
/// As many as reach 71 minutes, the longest that [`Micros`] holds.
const BUCKETS: usize = buckets();

/// The lowest microseconds of each bucket, by integer arithmetic so that every build has the same.
const LOWEST: [u32; BUCKETS] = lowest();

const fn after(lowest: u64) -> u64 {
    if lowest < LAST_EXACT as u64 {
        lowest + 1
    } else {
        lowest * 104 / 100
    }
}

const fn buckets() -> usize {
    let mut at = 0;
    let mut count = 0;
    while at <= u32::MAX as u64 {
        at = after(at);
        count += 1;
    }
    count
}

const fn lowest() -> [u32; BUCKETS] {
    let mut table = [0; BUCKETS];
    let mut at = 0;
    let mut index = 0;
    while index < BUCKETS {
        table[index] = at as u32;
        at = after(at);
        index += 1;
    }
    table
}

/// Counts by bucket, only of those that have any, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    counts: Vec<(u16, u64)>,
}

impl Histogram {
    /// Counts one time.
    pub fn add(&mut self, took: Micros) {
        let bucket = LOWEST.partition_point(|lowest| *lowest <= took.get()) - 1;
        let bucket = u16::try_from(bucket).expect("there are fewer buckets");
        match self
            .counts
            .binary_search_by_key(&bucket, |(known, _)| *known)
        {
            Ok(place) => self.counts[place].1 += 1,
            Err(place) => self.counts.insert(place, (bucket, 1)),
        }
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            match self
                .counts
                .binary_search_by_key(bucket, |(known, _)| *known)
            {
                Ok(place) => self.counts[place].1 += count,
                Err(place) => self.counts.insert(place, (*bucket, *count)),
            }
        }
    }

    /// How many times were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// The time that `percent` of 100 did not exceed (nearest rank), within 2 %; none where nothing was counted.
    pub fn percentile(&self, percent: u32) -> Option<Micros> {
        let total = self.total();
        let rank = (total * u64::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        self.counts.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen >= rank).then(|| middle(*bucket))
        })
    }

    /// As bytes, about two for each bucket that has any.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * self.counts.len());
        let mut before = 0;
        for (bucket, count) in &self.counts {
            varint::put(&mut out, u64::from(bucket - before));
            varint::put(&mut out, *count);
            before = *bucket;
        }
        out
    }

    /// From bytes; none where they are not those of a histogram.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut counts: Vec<(u16, u64)> = Vec::with_capacity(bytes.len() / 2);
        let mut before = 0_u64;
        while !bytes.is_empty() {
            let step = varint::take(&mut bytes)?;
            let bucket = before.checked_add(step)?;
            if bucket >= BUCKETS as u64 || step == 0 && !counts.is_empty() {
                return None;
            }
            let count = varint::take(&mut bytes)?;
            counts.push((u16::try_from(bucket).ok()?, count));
            before = bucket;
        }
        // Sums must not overflow.
        counts
            .iter()
            .try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count))
            .filter(|sum| *sum < u64::from(u32::MAX) * 1000)?;
        Some(Self { counts })
    }
}

/// The middle of a bucket: off by 2 % at most.
fn middle(bucket: u16) -> Micros {
    let index = usize::from(bucket);
    let low = u64::from(LOWEST[index]);
    let high = LOWEST.get(index + 1).map_or(u64::from(u32::MAX), |next| {
        u64::from(*next).max(low + 1) - 1
    });
    Micros::new(u32::try_from(low.midpoint(high)).expect("between two u32"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(times: &[u32]) -> Histogram {
        let mut histogram = Histogram::default();
        for time in times {
            histogram.add(Micros::new(*time));
        }
        histogram
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn a_percentile_is_within_two_percent(
            mut times in prop::collection::vec(0..u32::MAX, 1..300),
            percent in 0_u32..=100,
        ) {
            let found = of(&times).percentile(percent).unwrap().get();
            times.sort_unstable();
            let rank = (times.len() * percent as usize).div_ceil(100).max(1);
            let exact = f64::from(times[rank - 1]);
            prop_assert!((f64::from(found) - exact).abs() <= exact * 0.02 + 0.5, "{found} for {exact}");
        }

        #[test]
        fn parts_make_the_whole(
            a in prop::collection::vec(any::<u32>(), 0..100),
            b in prop::collection::vec(any::<u32>(), 0..100),
        ) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let whole = of(&[a, b].concat());
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(Histogram::from_bytes(&whole.to_bytes()), Some(whole));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(histogram) = Histogram::from_bytes(&bytes) {
                let _ = histogram.percentile(99);
            }
        }
    }

    #[test]
    fn nothing_counted_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(50), None);
    }
}
