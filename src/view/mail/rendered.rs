//! A mail as text: what every transport gets.

/// A rendered mail, without the addresses and ids that its rows give it. Everything is safe to send as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, one line.
    pub subject: String,
    /// The text part: lines ended by `\n`, of at most 78 columns where words fit into them.
    pub text: String,
    /// What the text begins with, as one line and without the addresses that follow it: the whole story.
    pub lead: String,
    /// The HTML part: nothing remote, styles inline.
    pub html: String,
    /// Fields beside the usual ones (`X-Sitewatch-...`, `List-Id`), in order; a name may come more than once.
    pub headers: Vec<(&'static str, String)>,
}
