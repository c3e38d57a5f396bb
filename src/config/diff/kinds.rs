//! What a monitor checks, one fact for each key of its kind.

use super::fields::{Fact, addresses, connect_to, fact, hidden, of_expectation, of_target};
use crate::domain::slow_limit::SlowLimit;
use crate::domain::subject::{AnswersMatch, Subject, TcpManner, TlsManner};
use crate::domain::target::IpVersion;

pub(super) fn of_subject(subject: &Subject) -> Vec<Fact> {
    match subject {
        Subject::Http(http) => {
            let mut facts = of_target(&http.target);
            facts.extend(of_expectation(&http.expectation));
            facts
        }
        Subject::Tcp(tcp) => {
            let mut facts = vec![url(subject)];
            facts.extend(of_tcp(&tcp.manner));
            facts
        }
        Subject::Tls(tls) => {
            let mut facts = vec![url(subject)];
            facts.extend(of_tcp(&tls.tcp.manner));
            facts.extend(of_tls(&tls.tls));
            facts
        }
        Subject::Icmp(icmp) => vec![
            url(subject),
            ip_version(icmp.manner.ip_version),
            fact("packets", icmp.manner.packets),
            fact("max_loss", format!("{}%", icmp.manner.max_loss)),
            degraded_after(icmp.manner.degraded_after),
        ],
        Subject::Dns(dns) => vec![
            url(subject),
            fact("answers", dns.manner.answers.join(", ")),
            fact(
                "answers_match",
                match dns.manner.answers_match {
                    AnswersMatch::Exact => "exact",
                    AnswersMatch::Contains => "contains",
                },
            ),
            degraded_after(dns.manner.degraded_after),
        ],
    }
}

fn url(subject: &Subject) -> Fact {
    hidden("url", subject.url_text(), subject.url_shown())
}

fn of_tcp(manner: &TcpManner) -> Vec<Fact> {
    let send = &manner.dialogue.send;
    vec![
        hidden(
            "send",
            format!("{send:?}"),
            match send.len() {
                0 => "none".to_owned(),
                bytes => format!("{bytes} bytes"),
            },
        ),
        fact("expect", manner.dialogue.expect_text()),
        fact("max_body", manner.max_body),
        ip_version(manner.ip_version),
        connect_to(manner.connect_to()),
        addresses(manner.direct.as_deref()),
        degraded_after(manner.degraded_after),
    ]
}

fn of_tls(manner: &TlsManner) -> Vec<Fact> {
    let size = |bytes: Option<&[u8]>| {
        bytes.map_or_else(
            || "none".to_owned(),
            |bytes| format!("{} bytes", bytes.len()),
        )
    };
    let certificate = manner.client_certificate.as_ref();
    let key = certificate.map(|certificate| certificate.key_pem.reveal());
    vec![
        fact(
            "starttls",
            manner.starttls.map_or("none", |protocol| protocol.as_str()),
        ),
        hidden(
            "ca_file",
            format!("{:?}", manner.ca_pem),
            size(manner.ca_pem.as_deref()),
        ),
        hidden(
            "client_certificate",
            format!("{:?} {key:?}", certificate.map(|one| &one.chain_pem)),
            match certificate {
                Some(_) => "a certificate",
                None => "none",
            },
        ),
        fact("verify_tls", manner.verify_tls),
    ]
}

fn ip_version(version: IpVersion) -> Fact {
    fact(
        "ip_version",
        match version {
            IpVersion::Any => "any",
            IpVersion::V4 => "4",
            IpVersion::V6 => "6",
        },
    )
}

fn degraded_after(limit: SlowLimit) -> Fact {
    fact("degraded_after", limit)
}
