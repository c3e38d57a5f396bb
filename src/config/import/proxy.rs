//! The proxy that another tool checked by.

use super::toml_writer::Entry;
use crate::config::read::scalars;

impl Entry {
    /// Takes a proxy over, a text as TOML has it. Returns `false` where it is not an http:// URL; one that has
    /// variables is known when it is loaded.
    pub(super) fn proxy(&mut self, url: &str) -> bool {
        let has_variables = url.replace("$${", "").contains("${");
        let is_valid = url.starts_with("http://")
            && (has_variables || scalars::proxy(&url.replace("$${", "${")).is_ok());
        if is_valid {
            self.text("proxy", url);
        }
        is_valid
    }
}
