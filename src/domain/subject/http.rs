//! `http://` and `https://`.

use std::sync::Arc;

use crate::domain::expectation::Expectation;
use crate::domain::target::Target;

/// A request and what its answer must be.
#[derive(Debug, Clone)]
pub struct HttpSubject {
    /// The request.
    pub target: Target,
    /// What counts as good.
    pub expectation: Arc<Expectation>,
}
