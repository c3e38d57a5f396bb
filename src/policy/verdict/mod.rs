//! What an answer, or the lack of one, says about a site.

pub mod addresses;
pub(super) mod assertion;
pub(super) mod bare_check;
pub(super) mod bot_protection;
pub(super) mod bounded;
pub(super) mod content;
pub mod dns;
pub mod evidence;
pub mod judge;
pub mod own_network;
pub mod ping;
mod reservation;
mod said;
pub mod small_pattern;
pub mod socket;
#[cfg(test)]
mod test_checks;
pub mod usual;
pub mod versions;
