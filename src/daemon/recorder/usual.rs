//! What is usual at this hour of the week, for monitors with `degraded_after = "3x usual"`: looked up once an hour.

use super::engine::Recorder;
use crate::domain::check::Check;
use crate::domain::monitor::MonitorId;
use crate::domain::slow_limit::{SlowLimit, Usual};
use crate::domain::timestamp::Timestamp;
use crate::policy::verdict::usual;

const HOUR_MS: i64 = 3_600_000;

impl Recorder {
    /// Makes a check degraded that took much longer than usual, where its monitor has such a limit.
    pub(super) fn judge_by_usual(
        &mut self,
        monitor: MonitorId,
        limit: SlowLimit,
        check: &mut Check,
    ) {
        if let SlowLimit::Usual(factor) = limit
            && let Some(usual) = self.usual(monitor, check.at)
        {
            usual::judge(check, factor, usual);
        }
    }

    /// What is usual for a monitor; `None` until it was recorded for two weeks.
    fn usual(&mut self, monitor: MonitorId, at: Timestamp) -> Option<Usual> {
        let hour = at.as_ms().div_euclid(HOUR_MS);
        if let Some((known, usual)) = self.usuals.get(&monitor)
            && *known == hour
        {
            return *usual;
        }
        let found = self.store.usual_total(monitor, at);
        let usual = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell what is usual: no check counts as slow for an hour");
            None
        });
        self.usuals.insert(monitor, (hour, usual));
        usual
    }
}
