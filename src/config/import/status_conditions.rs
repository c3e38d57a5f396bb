//! Sets of statuses that other tools describe by conditions.

/// Which statuses from 100 to 599 are good.
#[derive(Debug, Clone)]
pub(super) struct Statuses(Vec<bool>);

const FIRST: u16 = 100;
const LAST: u16 = 599;

impl Statuses {
    /// All of them.
    pub(super) fn all() -> Self {
        Self(vec![true; usize::from(LAST - FIRST) + 1])
    }

    /// Keeps those that a condition holds for.
    pub(super) fn keep(&mut self, holds: impl Fn(u16) -> bool) {
        for (status, good) in (FIRST..=LAST).zip(&mut self.0) {
            *good = *good && holds(status);
        }
    }

    /// As `expect_status` has it; none where nothing is left.
    pub(super) fn toml(&self) -> Option<String> {
        let mut members: Vec<String> = Vec::new();
        let mut good: Vec<u16> = (FIRST..=LAST)
            .zip(&self.0)
            .filter_map(|(status, good)| good.then_some(status))
            .collect();
        good.push(u16::MAX);
        let mut start: Option<u16> = None;
        let mut last = 0;
        for status in good {
            match start {
                None => start = Some(status),
                Some(_) if status == last + 1 => {}
                Some(first) => {
                    members.push(match (first, last) {
                        (first, last) if first == last => first.to_string(),
                        (first, last) if first % 100 == 0 && last == first + 99 => {
                            format!("\"{}xx\"", first / 100)
                        }
                        (first, last) => format!("\"{first}-{last}\""),
                    });
                    start = Some(status);
                }
            }
            last = status;
        }
        (!members.is_empty()).then(|| format!("[{}]", members.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_classes_ranges_and_codes() {
        let mut set = Statuses::all();
        set.keep(|status| {
            (200..300).contains(&status) || status == 404 || (301..303).contains(&status)
        });
        assert_eq!(set.toml().as_deref(), Some("[\"2xx\", \"301-302\", 404]"));
        set.keep(|status| status > 599);
        assert_eq!(set.toml(), None);
    }
}
