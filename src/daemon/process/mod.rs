//! What the daemon asks of the operating system: threads, descriptors, memory.

pub(super) mod background;
pub mod check_runtime;
pub mod fd_limit;
pub(super) mod malloc_trim;
pub(super) mod parent_pipe;
pub(super) mod patience;
pub(super) mod signals;
