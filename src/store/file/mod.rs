//! The database as a file: opened, locked, migrated, copied, found damaged or gone.

pub mod backup;
pub mod corruption;
pub mod kuma;
pub(super) mod lock;
pub(super) mod migrate;
pub(super) mod open;
pub(super) mod overwritten;
pub mod rescue;
