//! What is checked: the scheme of `url` decides the kind, and each kind has its own request and its own expectation.

mod any;
mod dns;
mod each;
mod http;
mod icmp;
mod kind;
mod locator;
mod question;
mod socket;
mod url_parts;
mod versions;

pub use any::Subject;
pub use dns::{DnsManner, DnsSubject};
pub use each::EachAddress;
pub use http::HttpSubject;
pub use icmp::{IcmpManner, IcmpSubject, NO_RIGHT_TO_PING, PING_GAP};
pub use kind::{Kinds, SubjectKind};
pub use locator::Locator;
pub use question::DnsLocator;
pub use socket::{Dialogue, TcpManner, TcpSubject, TlsManner, TlsSubject};
pub use url_parts::{HostPort, LocatorError};
pub use versions::OfferedVersions;

pub use super::dns_record::{AnswersMatch, RecordType};
