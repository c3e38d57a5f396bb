//! Lists of kinds as SQL: the rule which kinds belong together is not SQL's.

use std::sync::LazyLock;

use crate::domain::notification::MailKind;

/// `('down', ..)`: what tells somebody of an outage.
pub(super) fn of_outage() -> &'static str {
    static LIST: LazyLock<String> = LazyLock::new(|| list(&MailKind::OF_OUTAGE));
    &LIST
}

/// Likewise, of one outage by itself.
pub(super) fn of_one_outage() -> &'static str {
    static LIST: LazyLock<String> = LazyLock::new(|| list(&MailKind::OF_ONE_OUTAGE));
    &LIST
}

fn list(kinds: &[MailKind]) -> String {
    let words: Vec<String> = kinds
        .iter()
        .map(|kind| format!("'{}'", kind.as_str()))
        .collect();
    format!("({})", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sql() {
        assert_eq!(
            of_outage(),
            "('down', 'still_down', 'escalated', 'flapping')"
        );
        assert_eq!(of_one_outage(), "('down', 'still_down', 'escalated')");
    }
}
