//! Who is checked when, and what else is due by the calendar.

pub mod burn_watch;
pub mod cron_jobs;
pub mod duties;
pub(super) mod fair_queue;
pub(super) mod recheck_limit;
pub mod scheduler;
pub mod timetable;
pub(super) mod timetable_entry;
