//! Who looks for a pattern in what a server said, where that may take long.

use std::sync::Arc;

use regex::bytes::Regex;

/// Searches beside the thread that starts checks.
pub trait Search: Sync {
    /// Whether the pattern matches; the bytes come back. `site` is the monitor's URL.
    ///
    /// # Errors
    /// Why it could not be told, in one line: a reason that is ours.
    fn search(
        &self,
        site: &str,
        pattern: Arc<Regex>,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<(Vec<u8>, bool), String>> + Send;
}
