//! The protocols that begin in clear and change to TLS when the client asks for it.

use std::fmt;

/// A protocol with a dialogue before TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StartTls {
    /// RFC 3207.
    Smtp,
    /// RFC 9051 section 6.2.1.
    Imap,
    /// RFC 2595 section 4.
    Pop3,
    /// RFC 4217.
    Ftp,
    /// RFC 4511 section 4.14.
    Ldap,
    /// PostgreSQL's SSLRequest.
    Postgres,
    /// MySQL's and MariaDB's SSLRequest.
    Mysql,
    /// RFC 6120 section 5, as a client.
    Xmpp,
}

impl StartTls {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Smtp,
        Self::Imap,
        Self::Pop3,
        Self::Ftp,
        Self::Ldap,
        Self::Postgres,
        Self::Mysql,
        Self::Xmpp,
    ];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Ldap => "ldap",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Xmpp => "xmpp",
        }
    }

    /// The protocol of a word of the configuration.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == word)
    }

    /// The name as its users write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Ftp => "FTP",
            Self::Ldap => "LDAP",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Xmpp => "XMPP",
        }
    }

    /// What the client says to begin TLS.
    pub const fn request(self) -> &'static str {
        match self {
            Self::Smtp | Self::Imap | Self::Ldap | Self::Xmpp => "STARTTLS",
            Self::Pop3 => "STLS",
            Self::Ftp => "AUTH TLS",
            Self::Postgres | Self::Mysql => "SSLRequest",
        }
    }
}

impl fmt::Display for StartTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_protocols_agree() {
        for protocol in StartTls::ALL {
            assert_eq!(StartTls::parse(protocol.as_str()), Some(protocol));
        }
        assert_eq!(StartTls::parse("SMTP"), None);
    }
}
