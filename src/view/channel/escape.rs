//! Texts of others within the markup of a service: shown as they are, and never read as markup.

/// Stands between two characters, takes no room, and makes no word of them (U+2060 WORD JOINER).
const JOINER: char = '\u{2060}';

/// For `mrkdwn` of Slack: the three characters that begin links, mentions and entities ("Formatting text for app
/// surfaces", escaping text).
pub(super) fn slack(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ => out.push(c),
        }
    }
    out
}

/// For HTML: text, and attributes in double quotes.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

/// For Markdown as Discord has it: a backslash before each sign that begins markup, a mention, an emoji or a link.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let begins_markup = match c {
            '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '@' | '[' | ']' | '(' | ')' => {
                true
            }
            // `https://` and `:emoji:`, not a time of day.
            ':' => chars
                .peek()
                .is_some_and(|next| *next == '/' || next.is_alphabetic()),
            '-' | '+' => out.is_empty(),
            _ => false,
        };
        if begins_markup {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// For the `text` of services that are like Slack (Mattermost, Rocket.Chat): they read Markdown, mentions, channels
/// (`~town`), hashtags and addresses in it, and Slack's own links before that.
pub(super) fn like_slack(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A backslash alone does not hide these from a server that looks for names.
            '@' | '#' | '~' => {
                out.push('\\');
                out.push(c);
                out.push(JOINER);
            }
            '\\' | '*' | '_' | '`' | '|' | '[' | ']' | '(' | ')' | '!' => {
                out.push('\\');
                out.push(c);
            }
            ':' if chars
                .peek()
                .is_some_and(|next| *next == '/' || next.is_alphabetic()) =>
            {
                out.push('\\');
                out.push(c);
            }
            '-' | '+' | '=' if out.is_empty() => {
                out.push('\\');
                out.push(c);
            }
            // `www.` begins an address as well.
            '.' if out.to_ascii_lowercase().ends_with("www") => {
                out.push(JOINER);
                out.push(c);
            }
            // `4. ` begins a list.
            '.' if !out.is_empty() && out.bytes().all(|byte| byte.is_ascii_digit()) => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// The content of a block of code between two lines of backticks.
pub(super) fn code_block(text: &str) -> String {
    text.replace('`', "'")
}

/// A text without names that a client would take for mentions: it looks the same.
pub(super) fn no_mention(text: &str) -> String {
    text.replace('@', &format!("@{JOINER}"))
}

/// A text in which a client finds neither a mention, nor a hashtag, nor a command, nor an address: it looks the same.
///
/// For places where a service has no way to say that a text is only text.
pub(super) fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let next = chars.peek().copied();
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let is_found = match c {
            '@' | '#' => is_word(next),
            '/' => !is_word(before) && is_word(next),
            '.' => is_word(before) && next.is_some_and(|next| !next.is_whitespace()),
            ':' => next == Some('/'),
            _ => false,
        };
        if is_found {
            out.push(JOINER);
        }
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_markup_is_escaped() {
        assert_eq!(slack("<!channel> & co"), "&lt;!channel&gt; &amp; co");
        assert_eq!(html("<a href='x'>\"&"), "&lt;a href='x'&gt;&quot;&amp;");
        assert_eq!(
            markdown("- *a* [b](http://c.d) @x 14:02 :x:"),
            r"\- \*a\* \[b\]\(http\://c.d\) \@x 14:02 \:x:"
        );
        assert_eq!(code_block("a```b`"), "a'''b'");
    }

    #[test]
    fn what_services_like_slack_read_is_escaped() {
        for (text, want) in [
            ("DOWN 503 shop.example.com", "DOWN 503 shop.example.com"),
            ("at 14:02:11, 200-299", "at 14:02:11, 200-299"),
            (
                "@all #tag ~town",
                "\\@\u{2060}all \\#\u{2060}tag \\~\u{2060}town",
            ),
            (
                "<!channel> & <http://a|b>",
                r"&lt;\!channel&gt; &amp; &lt;http\://a\|b&gt;",
            ),
            (
                "[x](http://a) WWW.a",
                "\\[x\\]\\(http\\://a\\) WWW\u{2060}.a",
            ),
            ("*b* _i_ `c` :smile:", r"\*b\* \_i\_ \`c\` \:smile:"),
            ("- list", r"\- list"),
            ("12. list", r"12\. list"),
        ] {
            assert_eq!(like_slack(text), want);
        }
    }

    #[test]
    fn words_that_clients_look_for_are_broken_up() {
        let inert = inert("@here #tag http://evil.example/x 4.2, end. /start 14:02 a: b");
        for sign in ["@here", "#tag", "://", "evil.example", "/start"] {
            assert!(!inert.contains(sign), "{sign}");
        }
        assert!(inert.contains("end. ") && inert.contains("a: b"));
    }
}
