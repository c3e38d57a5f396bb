//! Which versions of HTTP a check speaks.

use super::check::HttpVersion;
use super::connect_to::BadAddress;

/// What https hops of a check speak; an http:// hop speaks HTTP/1.1 whatever is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HttpChoice {
    /// HTTP/1.1.
    #[default]
    One,
    /// HTTP/2 where the server agrees to it; the final answer must come by it.
    Two,
    /// HTTP/3; the final answer must come by it.
    Three,
    /// HTTP/1.1, and then each other version that the site offers; and what the check is where one of them fails.
    Offered(BadAddress),
}

impl HttpChoice {
    /// The words of the configuration.
    pub const WORDS: &[&str] = &["1.1", "2", "3", "offered"];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "1.1",
            Self::Two => "2",
            Self::Three => "3",
            Self::Offered(_) => "offered",
        }
    }

    /// The choice of a word; `bad` is for "offered".
    pub fn parse(word: &str, bad: BadAddress) -> Option<Self> {
        match word {
            "1.1" => Some(Self::One),
            "2" => Some(Self::Two),
            "3" => Some(Self::Three),
            "offered" => Some(Self::Offered(bad)),
            _ => None,
        }
    }

    /// What to do where [`Self::lacks_http3`].
    pub const HOW_TO_HAVE_HTTP3: &str =
        "take the package, or build it with `cargo build --features http3`";

    /// Whether this program was built without HTTP/3, which the choice needs.
    pub const fn lacks_http3(self) -> bool {
        matches!(self, Self::Three | Self::Offered(_)) && !cfg!(feature = "http3")
    }

    /// The version by which the final answer must come.
    pub const fn asked(self) -> Option<HttpVersion> {
        match self {
            Self::Two => Some(HttpVersion::Http2),
            Self::Three => Some(HttpVersion::Http3),
            Self::One | Self::Offered(_) => None,
        }
    }

    /// What a check is where an offered version fails; `None` if only one version is checked.
    pub const fn offered(self) -> Option<BadAddress> {
        match self {
            Self::Offered(bad) => Some(bad),
            Self::One | Self::Two | Self::Three => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_choices_agree() {
        for word in HttpChoice::WORDS {
            let choice = HttpChoice::parse(word, BadAddress::Down);
            assert_eq!(choice.map(HttpChoice::as_str), Some(*word));
        }
        assert_eq!(HttpChoice::parse("1.0", BadAddress::Down), None);
    }
}
