//! What a hub's copy of the database is among those of the other hub: who led when it was written, and how far it goes.

/// A copy of the database of a hub that has, or had, a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubCopy {
    /// The leadership that its newest change belongs to; each has a higher number than the one before.
    pub term: u64,
    /// A random number of the process that led then.
    pub boot: u64,
    /// The newest change of it that the log has.
    pub position: i64,
    /// The newest entry of the log that counts for it.
    pub number: u64,
    /// Whether that process wrote this copy itself; else it was taken from the log.
    pub leads: bool,
    /// Whether another hub has a copy: then no message leaves before the log has what was decided.
    pub is_followed: bool,
}

/// One row of a table as it became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub name: String,
    /// Whether the row is gone.
    pub is_gone: bool,
    /// The row as SQL literals, in the order of its columns; of one that is gone its key.
    pub literals: String,
}
