//! When things are due: intervals, cron expressions, ranges of time.

pub mod cron;
pub mod interval_grid;
pub mod next_check;
pub mod source_lists;
pub mod time_range;
