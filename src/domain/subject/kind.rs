//! The kinds of what can be checked, and sets of them.

use std::fmt;

/// The kind of a subject: what the scheme of its URL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// `http://` and `https://`
    Http,
    /// `tcp://`
    Tcp,
    /// `tls://`
    Tls,
    /// `icmp://`
    Icmp,
    /// `dns://`
    Dns,
}

impl SubjectKind {
    /// All of them, in the order of documentation.
    pub const ALL: [Self; 5] = [Self::Http, Self::Tcp, Self::Tls, Self::Icmp, Self::Dns];

    /// The kind of a URL; `None` if its scheme is of no kind.
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once(':')?;
        let is = |word: &str| scheme.eq_ignore_ascii_case(word);
        if is("http") || is("https") {
            return Some(Self::Http);
        }
        Self::ALL
            .into_iter()
            .find(|kind| *kind != Self::Http && is(kind.scheme()))
    }

    /// The scheme in which it is written; of HTTP the one without TLS.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Icmp => "icmp",
            Self::Dns => "dns",
        }
    }

    /// How its URLs begin, in words.
    pub const fn schemes(self) -> &'static str {
        match self {
            Self::Http => "http:// and https://",
            Self::Tcp => "tcp://",
            Self::Tls => "tls://",
            Self::Icmp => "icmp://",
            Self::Dns => "dns://",
        }
    }

    /// One monitor of this kind, in words.
    pub const fn monitor(self) -> &'static str {
        match self {
            Self::Http => "an http:// or https:// monitor",
            Self::Tcp => "a tcp:// monitor",
            Self::Tls => "a tls:// monitor",
            Self::Icmp => "an icmp:// monitor",
            Self::Dns => "a dns:// monitor",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self::of(&SubjectKind::ALL);

    /// These kinds.
    pub const fn of(kinds: &[SubjectKind]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < kinds.len() {
            bits |= kinds[index].bit();
            index += 1;
        }
        Self(bits)
    }

    /// Whether a kind is in it.
    pub const fn has(self, kind: SubjectKind) -> bool {
        self.0 & kind.bit() != 0
    }
}

/// `http:// and https://`, `tcp:// and tls://`, `http://, https:// and tls://`
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes: Vec<&str> = SubjectKind::ALL
            .into_iter()
            .filter(|kind| self.has(*kind))
            .flat_map(|kind| match kind {
                SubjectKind::Http => &["http", "https"][..],
                SubjectKind::Tcp => &["tcp"],
                SubjectKind::Tls => &["tls"],
                SubjectKind::Icmp => &["icmp"],
                SubjectKind::Dns => &["dns"],
            })
            .copied()
            .collect();
        for (index, scheme) in schemes.iter().enumerate() {
            let between = match index {
                0 => "",
                _ if index + 1 == schemes.len() => " and ",
                _ => ", ",
            };
            write!(f, "{between}{scheme}://")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_decides_in_any_case() {
        for (url, kind) in [
            ("http://a/", Some(SubjectKind::Http)),
            ("HTTPS://a/", Some(SubjectKind::Http)),
            ("Tcp://a:1", Some(SubjectKind::Tcp)),
            ("tls://a:1", Some(SubjectKind::Tls)),
            ("icmp://a", Some(SubjectKind::Icmp)),
            ("dns:///a", Some(SubjectKind::Dns)),
            ("ftp://a", None),
            ("tcps://a", None),
            ("a.example", None),
            ("", None),
        ] {
            assert_eq!(SubjectKind::of_url(url), kind, "{url}");
        }
    }

    #[test]
    fn sets_are_told_by_their_schemes() {
        use SubjectKind::{Dns, Http, Icmp, Tcp, Tls};
        for (kinds, words) in [
            (&[Http][..], "http:// and https://"),
            (&[Tcp, Tls], "tcp:// and tls://"),
            (&[Http, Tls], "http://, https:// and tls://"),
            (&[Icmp], "icmp://"),
            (&[Dns], "dns://"),
            (
                &SubjectKind::ALL,
                "http://, https://, tcp://, tls://, icmp:// and dns://",
            ),
        ] {
            assert_eq!(Kinds::of(kinds).to_string(), words);
        }
    }
}
