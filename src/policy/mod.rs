//! Decisions as pure functions: state, event and `now` in, values out.

mod assertion;
mod bounded;
pub mod calendar;
pub mod certificate;
pub mod clock_step;
pub mod connectivity;
mod content;
pub mod drift;
pub mod flapping;
pub mod grid;
pub mod histogram;
pub mod intermittent;
pub mod judge;
mod machine;
mod machine_beside;
mod machine_shown;
mod machine_speech;
pub mod memory;
pub mod monitor;
pub mod outbox;
pub mod packed;
pub mod parents;
pub mod period;
pub mod private;
mod protection;
pub mod proxy;
pub mod redirect;
pub mod reminder;
pub mod replay;
pub mod report;
pub mod retry_after;
pub mod slow;
pub mod timeline;
#[cfg(test)]
mod timelines;
pub mod uptime;
pub mod window;
