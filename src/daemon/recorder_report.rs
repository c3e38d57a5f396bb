//! The periodic report at the recorder: decided, and noted as mailed, in one transaction.

use super::recorder::Recorder;
use super::recorder_staged::Deed;
use crate::domain::notice::{News, Notice};
use crate::domain::timestamp::Timestamp;
use crate::policy::calendar::Cron;
use crate::policy::report::{self, Due};
use crate::store::report_mark;

impl Recorder {
    /// Queues the report if one is due: at its moment, and at the start where it passed while nothing ran.
    pub(super) fn report(&mut self, now: Timestamp) {
        self.look_at_report(true, now);
    }

    /// Takes note of a configuration: where reports are new, periods begin; where they are gone, nothing is owed.
    pub(super) fn reports_changed(&mut self, now: Timestamp) {
        self.look_at_report(false, now);
    }

    fn look_at_report(&mut self, mail: bool, now: Timestamp) {
        let known = match report_mark::reported_until(self.store.outbox()) {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "failed to read when the last report was mailed");
                return;
            }
        };
        let Some(settings) = self.config.report.clone() else {
            if known.is_some() {
                self.put_reported_until(None, now);
            }
            return;
        };
        // The configuration refuses an expression without meaning.
        let Ok(schedule) = Cron::parse(&settings.schedule.0) else {
            return;
        };
        match report::due(&schedule, &self.config.daemon.timezone, known, now) {
            Due::Nothing => {}
            Due::Begin(at) => self.put_reported_until(Some(at), now),
            Due::Report { from, to } if mail => {
                let notice = Notice {
                    about: None,
                    news: News::Report { from, to },
                    decided_at: now,
                };
                self.say(notice, Some(settings.to), now);
                self.put_reported_until(Some(to), now);
            }
            Due::Report { .. } => {}
        }
    }

    fn put_reported_until(&mut self, at: Option<Timestamp>, now: Timestamp) {
        let write = Deed::Write(Box::new(move |batch| {
            Ok(report_mark::put_reported_until(batch.outbox(), at)?)
        }));
        self.staged.deed(write, now);
        self.staged.urgent = true;
    }
}
