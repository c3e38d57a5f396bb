//! A list as the configuration describes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::super::read::kinds::KindKeys;

use crate::domain::expectation::Expectation;
use crate::domain::monitor::{Labels, Rules, Schedule};
use crate::domain::redaction::Masks;
use crate::domain::secret::Secret;
use crate::domain::target::Manner;

/// One `[[source]]`.
#[derive(Debug, Clone)]
pub struct ListSource {
    /// What the database calls it. It changes when the list comes from elsewhere.
    pub key: Arc<str>,
    /// What people call it: the file as it was written, or the URL without what may be secret.
    pub called: Arc<str>,
    /// Where it comes from.
    pub place: ListPlace,
    /// How often it is read.
    pub refresh: Duration,
    /// A list that has fewer per cent of the entries of the one in force is refused.
    pub keep_at_least: u8,
    /// What its monitors have in common.
    pub model: Model,
}

/// Where a list comes from.
#[derive(Debug, Clone)]
pub enum ListPlace {
    /// A file of this machine.
    File(PathBuf),
    /// An http or https URL.
    Url {
        /// Where it is, userinfo and secrets in clear.
        url: Url,
        /// A bearer token.
        token: Option<Secret>,
        /// The secrets in both.
        masks: Masks,
    },
}

/// All of a monitor but its name and its URL.
#[derive(Debug, Clone)]
pub struct Model {
    /// When they are checked.
    pub schedule: Schedule,
    /// What counts as good.
    pub expectation: Arc<Expectation>,
    /// Its alert rules and recipients.
    pub rules: Arc<Rules>,
    /// Everything else.
    pub labels: Arc<Labels>,
    /// How they are requested.
    pub manner: Arc<Manner>,
    /// What only monitors of single kinds have.
    pub(in crate::config) kind_keys: KindKeys,
}
