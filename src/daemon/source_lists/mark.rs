//! By what a list is known again.

use crate::probe::Validators;

/// By what a list is known again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    pub(super) validators: Validators,
    pub(super) digest: Option<u64>,
}
