//! Whole objects, compared to the byte.

use std::sync::Arc;

use super::*;
use crate::domain::amendment::{Amendment, CountsAs, IncidentNote};
use crate::domain::check::{Chain, HttpVersion, Redirect, Verdict};
use crate::domain::incident::{Cause, Incident, IncidentKey};
use crate::domain::monitor::MonitorId;
use crate::domain::notification::MailKind;
use crate::domain::order::{By, GivenOrder, KeptOrder, OrderArgs, OrderWord};
use crate::policy::alert::state::{Flags, ShownState};

/// 2026-11-22T20:00:00.123Z
const AT: Timestamp = Timestamp::from_ms(1_795_377_600_123);

fn redirected() -> Check {
    Check {
        at: AT,
        verdict: Verdict::Up,
        status: Some(200),
        chain: Arc::new(Chain {
            redirects: vec![Redirect {
                url: "http://example.com/".into(),
                status: 301,
                location: Some("https://www.example.com/?token=abc&a=1".into()),
                remote_addr: Some("93.184.216.34:80".parse().unwrap()),
            }],
            final_url: "https://www.example.com/?token=abc&a=1".into(),
            remote_addr: Some("93.184.216.34:443".parse().unwrap()),
        }),
        redirect_times: [Micros::new(21_400)].into(),
        timings: Timings {
            dns: Some(Micros::new(1203)),
            connect: Some(Micros::new(10_500)),
            tls: Some(Micros::new(22_100)),
            ttfb: Some(Micros::new(40_000)),
            body: None,
            total: Micros::new(77_000),
        },
        http_version: Some(HttpVersion::Http11),
        body_bytes: 1256,
        retry_after_s: None,
        certificate: Some(Arc::new(Certificate {
            not_after: Timestamp::from_ms(1_798_761_600_000),
            not_before: AT,
            subject: "CN=example.com".into(),
            issuer: "CN=Some CA".into(),
            fingerprint: 7,
        })),
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

fn print(object: &impl Serialize) -> String {
    let mut out = String::new();
    line(object, &mut out).unwrap();
    out
}

#[test]
fn a_check_is_one_line() {
    assert_eq!(
        print(&check(
            "Example",
            "http://example.com/",
            &redirected(),
            Audience::Owner
        )),
        concat!(
            r#"{"monitor":"Example","url":"http://example.com/","at":"2026-11-22T20:00:00.123Z","#,
            r#""state":"up","status":200,"failure":null,"final_url":"https://www.example.com/?token=***&a=1","#,
            r#""redirects":[{"url":"http://example.com/","status":301,"#,
            r#""location":"https://www.example.com/?token=***&a=1","remote_addr":"93.184.216.34:80","ms":21.4}],"#,
            r#""timings_ms":{"dns":1.203,"connect":10.5,"tls":22.1,"ttfb":40.0,"body":null,"total":77.0},"#,
            r#""remote_addr":"93.184.216.34:443","http_version":"HTTP/1.1","body_bytes":1256,"#,
            r#""retry_after_s":null,"certificate":{"not_after":"2027-01-01T00:00:00.000Z","#,
            r#""subject":"CN=example.com","issuer":"CN=Some CA"}}"#,
            "\n"
        )
    );
}

#[test]
fn a_remark_is_told_to_the_owner_alone() {
    let mut remarked = redirected();
    remarked.remarks = ["IPv6 does not answer in time".into()].into();
    let text = |audience| print(&check("a", "http://example.com/", &remarked, audience));
    let owners = text(Audience::Owner);
    assert!(
        owners.ends_with("\"remarks\":[\"IPv6 does not answer in time\"]}\n"),
        "{owners}"
    );
    let publics = text(Audience::Public { urls: true });
    assert!(!publics.contains("remarks"), "{publics}");
}

#[test]
fn the_public_sees_no_query_and_no_address() {
    let mut failed = redirected();
    failed.verdict = Verdict::Down(Failure {
        kind: FailureKind::ConnectRefused,
        detail: "10.0.0.7:443 refused the connection".into(),
    });
    let text = print(&check(
        "Example",
        "http://u@example.com/?q=1",
        &failed,
        Audience::Public { urls: true },
    ));
    for hidden in ["token", "93.184", "10.0.0.7", "?", "u@"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert!(
        text.contains(r#""failure":{"kind":"connect_refused","detail":"it cannot be reached"}"#)
    );
    assert_eq!(public_url("//me:pw@host/a?b"), "host/a");
    assert_eq!(public_url("https://me:pw@host/a?b#c"), "https://host/a");
}

#[test]
fn an_incident_carries_its_mails_for_the_owner_only() {
    let row = IncidentRow {
        monitor: "shop".into(),
        url: "https://shop/".into(),
        incident: Incident {
            key: IncidentKey {
                monitor: MonitorId(3),
                opened_at: AT,
            },
            began_at: None,
            clock_is_wrong: false,
            closed_at: None,
            cause: Cause {
                failure: Failure {
                    kind: FailureKind::Status,
                    detail: "503, not 200-299".into(),
                },
                status: Some(503),
            },
            checks_failed: 3,
            maintenance: false,
            acked_at: Some(AT),
            ack_note: Some("deploy, back at 15:00".into()),
        },
        acked_by: Some(By {
            uid: 1000,
            name: Some("kim".into()),
        }),
        amendments: vec![Amendment {
            counts_as: CountsAs::FalseAlarm,
            at: AT,
            by: By {
                uid: 1000,
                name: None,
            },
            note: Some("our firewall".into()),
            undone: None,
        }],
        notes: ["for us", "for all"]
            .map(|text| IncidentNote {
                at: AT,
                by: By {
                    uid: 1000,
                    name: None,
                },
                text: text.into(),
                public: text == "for all",
            })
            .to_vec(),
        escalated_at: Some(AT),
        mails: vec![MailRow {
            channel: None,
            kind: MailKind::Down,
            to: "ops@example.com".into(),
            message_id: "a@b".into(),
            queued_at: AT,
            sent_at: None,
        }],
        locations: Vec::new(),
    };
    let now = AT.plus(std::time::Duration::from_millis(61_500));
    assert_eq!(
        print(&incident(&row, now, Audience::Owner)),
        concat!(
            r#"{"id":"3-1795377600123","monitor":"shop","url":"https://shop/","#,
            r#""opened_at":"2026-11-22T20:00:00.123Z","closed_at":null,"duration_s":61.5,"#,
            r#""cause":{"kind":"status","status":503,"detail":"503, not 200-299"},"checks_failed":3,"#,
            r#""maintenance":false,"acked_at":"2026-11-22T20:00:00.123Z","escalated_at":"2026-11-22T20:00:00.123Z","#,
            r#""ack_note":"deploy, back at 15:00","acked_by":{"uid":1000,"name":"kim"},"#,
            r#""amended":{"as":"false-alarm","at":"2026-11-22T20:00:00.123Z","by":{"uid":1000,"name":null},"note":"our firewall"},"#,
            r#""amendments":[{"as":"false-alarm","at":"2026-11-22T20:00:00.123Z","by":{"uid":1000,"name":null},"note":"our firewall"}],"#,
            r#""notes":[{"at":"2026-11-22T20:00:00.123Z","by":{"uid":1000,"name":null},"text":"for us","public":false},"#,
            r#"{"at":"2026-11-22T20:00:00.123Z","by":{"uid":1000,"name":null},"text":"for all","public":true}],"mails":[{"kind":"down","to":"ops@example.com","#,
            r#""channel":null,"message_id":"a@b","queued_at":"2026-11-22T20:00:00.123Z","sent_at":null}]}"#,
            "\n"
        )
    );
    let public = print(&incident(&row, now, Audience::Public { urls: true }));
    assert!(
        !public.contains("mails")
            && !public.contains("deploy")
            && !public.contains("for us")
            && !public.contains("firewall")
            && public.contains(
                r#""notes":[{"at":"2026-11-22T20:00:00.123Z","text":"for all","public":true}]"#
            )
            && public.contains("503 Service Unavailable"),
        "{public}"
    );
}

#[test]
fn a_status_names_its_flags() {
    let row = StatusRow {
        enabled: true,
        monitor: "shop".into(),
        url: "https://shop/".into(),
        state: ShownState::Up,
        since: Some(AT),
        reason: None,
        flags: Flags {
            muted: true,
            maintenance: true,
            parent_down: true,
            ..Flags::default()
        },
        incident: None,
        ack_note: None,
        cause_status: None,
        orders: Some(vec![KeptOrder {
            at: AT,
            order: GivenOrder {
                by: By {
                    uid: 1001,
                    name: None,
                },
                word: OrderWord::Mute,
                args: OrderArgs::default(),
            },
        }]),
        last_check: None,
        next_check_at: None,
        uptime_percent_24h: Some(99.94),
        uptime_percent_30d: None,
        latency_24h: Vec::new(),
        tags: vec!["prod".into()],
        note: "on call: Kim".into(),
        locations: Vec::new(),
    };
    assert_eq!(
        print(&status(&row, Audience::Owner)),
        concat!(
            r#"{"monitor":"shop","url":"https://shop/","state":"up","since":"2026-11-22T20:00:00.123Z","#,
            r#""flags":["muted","maintenance","parent_down"],"reason":null,"incident":null,"ack_note":null,"#,
            r#""orders":[{"order":"mute","at":"2026-11-22T20:00:00.123Z","by":{"uid":1001,"name":null},"until":null,"note":null}],"last_check":null,"#,
            r#""next_check_at":null,"uptime_percent_24h":99.94,"uptime_percent_30d":null,"#,
            r#""enabled":true,"tags":["prod"],"note":"on call: Kim"}"#,
            "\n"
        )
    );
    let public = print(&status(&row, Audience::Public { urls: true }));
    assert!(!public.contains("Kim") && public.contains(r#""flags":["muted","maintenance"],"#));
}
