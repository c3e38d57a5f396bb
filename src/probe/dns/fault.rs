//! The words for a lookup without an address.

use super::ask::Trouble;
use super::servers::Refusal;
use super::system::{Source, View};
use crate::domain::check::FailureKind;
use crate::domain::safe_text;
use crate::domain::target::IpVersion;

/// Of more faults in resolv.conf a failing lookup says nothing; the log has them all.
const HINTS_MAX: usize = 2;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(in crate::probe) struct DnsFault {
    /// One of the `dns_*` kinds, `redirect_blocked` or `local`.
    pub(in crate::probe) kind: FailureKind,
    /// One line for a person.
    pub(in crate::probe) detail: String,
}

/// What became of one of the names that a host may mean.
pub(super) struct Tried {
    pub(super) name: String,
    /// Whether it is the name that was written.
    pub(super) is_own: bool,
    pub(super) refusal: Refusal,
}

/// Too many lookups are under way.
pub(super) fn no_place(host: &str) -> DnsFault {
    DnsFault {
        kind: FailureKind::DnsTimeout,
        detail: format!(
            "{}: the name servers are so slow that the lookup found no place in time",
            quoted(host)
        ),
    }
}

/// The name is longer than DNS allows, or has an empty label.
pub(super) fn unaskable(host: &str) -> DnsFault {
    DnsFault {
        kind: FailureKind::DnsNotFound,
        detail: format!("{}: not a name that DNS can hold", quoted(host)),
    }
}

/// No name of the search list gave an address. Only what the name itself was told is a certain no, and only where no
/// other name has failed: that one may be the one that is meant.
pub(super) fn of_names(host: &str, version: IpVersion, view: &View, tried: &[Tried]) -> DnsFault {
    let own = tried.iter().find(|tried| tried.is_own);
    let failed = own
        .filter(|own| own.has_failed())
        .or_else(|| tried.iter().find(|tried| tried.has_failed()));
    let name = quoted(host);
    let Some(failed) = failed else {
        let trouble = own.map(|own| &own.refusal.trouble);
        let why = answered(trouble, version);
        let hint = hint_of_absence(host, view, tried.len());
        return DnsFault {
            kind: FailureKind::DnsNotFound,
            detail: format!("{name}: {why}{hint}"),
        };
    };
    let kind = match failed.refusal.trouble {
        Trouble::Local(_) => FailureKind::Local,
        Trouble::Failed(_) => FailureKind::DnsFailure,
        Trouble::Silent | Trouble::Nobody(_) | Trouble::NoName | Trouble::NoRecord => {
            FailureKind::DnsTimeout
        }
    };
    let what = at_servers(&failed.refusal);
    let detail = if failed.is_own {
        format!("{name}: {what}")
    } else {
        let why = answered(own.map(|own| &own.refusal.trouble), version);
        let other = quoted(&failed.name);
        format!("{name}: {why}, but {other}, by the search list, may be meant: {what}")
    };
    DnsFault {
        kind,
        detail: format!("{detail}{}", hint_of_file(view)),
    }
}

impl Tried {
    const fn has_failed(&self) -> bool {
        match self.refusal.trouble {
            Trouble::NoName | Trouble::NoRecord => false,
            Trouble::Failed(_) | Trouble::Nobody(_) | Trouble::Silent | Trouble::Local(_) => true,
        }
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", safe_text::middle(name, 100))
}

/// What the name itself was told.
const fn answered(trouble: Option<&Trouble>, version: IpVersion) -> &'static str {
    match (trouble, version) {
        (Some(Trouble::NoRecord), IpVersion::Any) => "the name has no address",
        (Some(Trouble::NoRecord), IpVersion::V4) => "the name has no IPv4 address",
        (Some(Trouble::NoRecord), IpVersion::V6) => "the name has no IPv6 address",
        (_, _) => "no such name (NXDOMAIN)",
    }
}

/// What each server did. Where all were silent, in one breath.
pub(super) fn at_servers(refusal: &Refusal) -> String {
    let all_silent = refusal
        .servers
        .iter()
        .all(|(_, trouble)| *trouble == Trouble::Silent);
    if all_silent {
        let all: Vec<String> = refusal
            .servers
            .iter()
            .map(|(server, _)| server.to_string())
            .collect();
        return format!("no answer from name server {}", all.join(", "));
    }
    let each: Vec<String> = refusal
        .servers
        .iter()
        .map(|(server, trouble)| match trouble {
            Trouble::Failed(what) => format!("name server {server}: {what}"),
            Trouble::Local(what) => format!("cannot ask name server {server}: {what}"),
            Trouble::Nobody(what) => format!("no answer from name server {server}: {what}"),
            Trouble::Silent | Trouble::NoName | Trouble::NoRecord => {
                format!("no answer from name server {server}")
            }
        })
        .collect();
    each.join("; ")
}

/// Why a name that people use may be unknown to us.
fn hint_of_absence(host: &str, view: &View, names: usize) -> String {
    let is_single = !host.contains('.');
    if host.ends_with(".local") {
        return "; names in .local are often known to multicast DNS only, which is not asked"
            .to_owned();
    }
    let searched = names.saturating_sub(1);
    match (&view.source, searched) {
        (Source::Configuration, _) if is_single => {
            "; with [dns] servers no search list is used".to_owned()
        }
        (Source::File { .. }, 0) if is_single => {
            format!("{}; there is no search list", hint_of_file(view))
        }
        (Source::File { .. }, 1..) => {
            format!("{}, nor with the search list", hint_of_file(view))
        }
        _ => String::new(),
    }
}

/// What could not be read of resolv.conf and may be why.
fn hint_of_file(view: &View) -> String {
    let Source::File { path, passed_over } = &view.source else {
        return String::new();
    };
    if passed_over.is_empty() {
        return String::new();
    }
    let some: Vec<&str> = passed_over
        .iter()
        .take(HINTS_MAX)
        .map(String::as_str)
        .collect();
    let more = match passed_over.len() > HINTS_MAX {
        true => ", and more",
        false => "",
    };
    let path = safe_text::line(path, 100);
    format!(" (passed over in {path}: {}{more})", some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name_server::NameServer;

    fn tried(name: &str, is_own: bool, troubles: &[Trouble]) -> Tried {
        let servers = troubles
            .iter()
            .enumerate()
            .map(|(place, trouble)| {
                let address = format!("10.0.0.{}", place + 1);
                (NameServer::parse(&address).unwrap(), trouble.clone())
            })
            .collect();
        Tried {
            name: name.to_owned(),
            is_own,
            refusal: Refusal {
                trouble: troubles[0].clone(),
                servers,
            },
        }
    }

    fn check(tried: &[Tried], want: &str) {
        let view = View {
            source: Source::File {
                path: "/etc/resolv.conf".to_owned(),
                passed_over: Vec::new(),
            },
            ..View::default()
        };
        let fault = of_names("web.test", IpVersion::Any, &view, tried);
        assert_eq!(format!("{} {}", fault.kind, fault.detail), want);
    }

    #[test]
    fn a_failed_alternative_leaves_the_matter_open() {
        let servfail = || Trouble::Failed("SERVFAIL".to_owned());
        let searched = |trouble| tried("web.test.lan", false, &[trouble]);
        let own = |trouble| tried("web.test", true, &[trouble]);
        check(
            &[searched(Trouble::NoName), own(Trouble::NoName)],
            "dns_not_found `web.test`: no such name (NXDOMAIN), nor with the search list",
        );
        check(
            &[own(Trouble::NoRecord)],
            "dns_not_found `web.test`: the name has no address",
        );
        check(
            &[searched(servfail()), own(Trouble::NoName)],
            "dns_failure `web.test`: no such name (NXDOMAIN), but `web.test.lan`, by the search list, may be meant: \
             name server 10.0.0.1:53: SERVFAIL",
        );
        check(
            &[own(Trouble::NoName), searched(Trouble::Silent)],
            "dns_timeout `web.test`: no such name (NXDOMAIN), but `web.test.lan`, by the search list, may be meant: \
             no answer from name server 10.0.0.1:53",
        );
        check(
            &[searched(Trouble::NoName), own(servfail())],
            "dns_failure `web.test`: name server 10.0.0.1:53: SERVFAIL",
        );
        check(
            &[searched(servfail()), own(Trouble::Silent)],
            "dns_timeout `web.test`: no answer from name server 10.0.0.1:53",
        );
    }

    #[test]
    fn each_server_is_named() {
        check(
            &[tried(
                "web.test",
                true,
                &[Trouble::Failed("REFUSED".to_owned()), Trouble::Silent],
            )],
            "dns_failure `web.test`: name server 10.0.0.1:53: REFUSED; no answer from name server 10.0.0.2:53",
        );
        check(
            &[tried("web.test", true, &[Trouble::Silent, Trouble::Silent])],
            "dns_timeout `web.test`: no answer from name server 10.0.0.1:53, 10.0.0.2:53",
        );
        check(
            &[tried(
                "web.test",
                true,
                &[Trouble::Nobody(
                    "nothing is listening on that port".to_owned(),
                )],
            )],
            "dns_timeout `web.test`: no answer from name server 10.0.0.1:53: nothing is listening on that port",
        );
    }
}
