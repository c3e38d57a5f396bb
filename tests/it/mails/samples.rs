//! One of every mail, about the same shop.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sitewatch::domain::address::Address;
use sitewatch::domain::check::{
    AddressCheck, Certificate, Chain, Check, CheckState, Extras, Failure, FailureKind, HttpVersion,
    Micros, Redirect, Timings, Verdict,
};
use sitewatch::domain::expectation::{Expectation, StatusSet};
use sitewatch::domain::http_choice::HttpChoice;
use sitewatch::domain::incident::{Cause, IncidentKey};
use sitewatch::domain::location::{LocationName, LocationStatus, ProbeName, Seen};
use sitewatch::domain::monitor::{Labels, Monitor, MonitorId, MonitorName, Rules, Schedule};
use sitewatch::domain::notification::{About, BurnWindow, MailKind, News, Notice, Parcel, Stopped};
use sitewatch::domain::redaction::Masks;
use sitewatch::domain::secret::Secret;
use sitewatch::domain::slow_limit::{Factor, SlowLimit};
use sitewatch::domain::subject::{HttpSubject, Subject};
use sitewatch::domain::target::{Credentials, IpVersion, Manner, Method, Proxy, Target};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::alert::location_news;
use sitewatch::view::mail::context::{
    Acked, Changed, Context, Delay, History, Month, OtherDown, ReportRow, Reported,
};
use sitewatch::view::objective::ObjectiveRow;
use url::Url;

/// 2026-07-22 14:02:11 in Berlin.
const OPENED: i64 = 1_784_721_731_000;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(OPENED + seconds * 1000)
}

fn name(text: &str) -> MonitorName {
    MonitorName::parse(text).unwrap()
}

/// What a mail is rendered with, owned.
pub struct Around {
    pub monitor: Option<Monitor>,
    pub now: Timestamp,
    pub history: History,
    pub also_down: Vec<OtherDown>,
    pub confirming: u32,
    pub delay: Option<Delay>,
    pub acks: Vec<Acked>,
    pub report: Vec<ReportRow>,
    pub reports: Vec<Reported>,
    pub objectives: Vec<ObjectiveRow>,
    pub changed: Option<Changed>,
}

impl Around {
    pub fn context(&self) -> Context<'_> {
        Context {
            monitor: self.monitor.as_ref(),
            history: self.history.clone(),
            also_down: self.also_down.clone(),
            confirming: self.confirming,
            delay: self.delay.clone(),
            acks: self.acks.clone(),
            report: self.report.clone(),
            reports: self.reports.clone(),
            objectives: self.objectives.clone(),
            changed: self.changed.clone(),
            ..Context::bare(self.now, TimeZone::get("Europe/Berlin").unwrap(), "mon1")
        }
    }
}

/// Nothing around it, and no monitor.
pub fn nobody(now: Timestamp) -> Around {
    Around {
        monitor: None,
        now,
        history: History::default(),
        also_down: Vec::new(),
        confirming: 0,
        delay: None,
        acks: Vec::new(),
        report: Vec::new(),
        reports: Vec::new(),
        objectives: Vec::new(),
        changed: None,
    }
}

pub fn shop() -> Monitor {
    Monitor {
        name: name("shop"),
        schedule: Schedule::Every(Duration::from_secs(60)),
        subject: Subject::Http(HttpSubject {
            target: Target::new(
                &Url::parse("http://shop.example.com/").unwrap(),
                Manner {
                    method: Method::Get,
                    headers: vec![("X-Api-Key".into(), Secret::new("s3cr3t-value"))],
                    body: None,
                    credentials: Credentials::Basic {
                        is_hidden: false,
                        username: "kim".into(),
                        password: Secret::new("hunter22"),
                    },
                    follow_redirects: true,
                    max_redirects: 10,
                    allow_downgrade: false,
                    allow_private_redirect: false,
                    cookies: true,
                    timeout: Duration::from_secs(10),
                    max_body: 1 << 20,
                    wants_body: false,
                    ip_version: IpVersion::Any,
                    ca_pem: None,
                    client_certificate: None,
                    files: None,
                    verify_tls: true,
                    proxy: Proxy::None,
                    http: HttpChoice::One,
                    masks: Masks::new(["hunter22".to_owned(), "s3cr3t-value".to_owned()]),
                },
            ),
            expectation: Arc::new(Expectation {
                status: StatusSet::parse(["2xx"]).unwrap(),
                final_url: None,
                headers: Vec::new(),
                body_contains: Vec::new(),
                body_excludes: Vec::new(),
                body_matches: Vec::new(),
                json: Vec::new(),
                degraded_after: SlowLimit::After(Duration::from_secs(2)),
                certificate_expiry: Vec::new(),
            }),
        }),
        rules: Arc::new(Rules {
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            failures_before_down: 3,
            successes_before_up: 2,
            retry_interval: Duration::from_secs(10),
            alert_on_slow: true,
            alert_on_address_down: true,
            alert_on_redirect_change: true,
            to: vec![Address::parse("ops@example.com").unwrap().into()],
            quorum: None,
        }),
        labels: Arc::new(Labels {
            note: "Runbook: https://wiki.example.com/shop - on call: Kim".into(),
            ..Labels::default()
        }),
    }
}

pub fn check(seconds: i64, status: u16, ttfb_ms: u32) -> Check {
    let hop = |url: &str, status, location: &str, port| Redirect {
        url: url.into(),
        status,
        location: Some(location.into()),
        remote_addr: Some(([203, 0, 113, 7], port).into()),
    };
    let verdict = if status < 400 {
        Verdict::Up
    } else {
        Verdict::Down(Failure {
            kind: FailureKind::Status,
            detail: format!("{status}, not 200-299").into(),
        })
    };
    let ms = |ms: u32| Some(Micros::new(ms * 1000));
    Check {
        at: at(seconds),
        verdict,
        status: Some(status),
        chain: Arc::new(Chain {
            redirects: vec![
                hop(
                    "http://shop.example.com/",
                    301,
                    "https://shop.example.com/",
                    80,
                ),
                hop(
                    "https://shop.example.com/",
                    302,
                    "/start?session=77&token=abcdef",
                    443,
                ),
            ],
            final_url: "https://shop.example.com/start?session=77&token=abcdef".into(),
            remote_addr: Some(([203, 0, 113, 7], 443).into()),
        }),
        redirect_times: [Micros::new(10_000), Micros::new(20_000)].into(),
        timings: Timings {
            dns: ms(3),
            connect: ms(12),
            tls: ms(24),
            ttfb: ms(ttfb_ms),
            body: ms(3),
            total: Micros::new((ttfb_ms + 42) * 1000),
        },
        http_version: Some(HttpVersion::Http11),
        body_bytes: 56,
        retry_after_s: (status == 503).then_some(120),
        certificate: Some(Arc::new(Certificate {
            not_after: at(61 * 86_400 + 3600),
            not_before: at(-29 * 86_400),
            subject: "CN=shop.example.com".into(),
            issuer: "CN=R11, O=Let's Encrypt, C=US".into(),
            fingerprint: 1,
        })),
        excerpt: (status == 503)
            .then(|| "Service temporarily unavailable. Please come back soon.".into()),
        remarks: Box::default(),
        extras: None,
    }
}

pub fn incident() -> IncidentKey {
    IncidentKey {
        monitor: MonitorId(7),
        opened_at: at(0),
    }
}

pub fn cause(check: &Check) -> Cause {
    Cause {
        failure: check.verdict.failure().unwrap().clone(),
        status: check.status,
    }
}

fn around(now: i64) -> Around {
    let usual = check(-60, 200, 180).timings;
    Around {
        monitor: Some(shop()),
        history: History {
            checks: vec![
                check(22, 503, 1001),
                check(11, 503, 970),
                check(0, 503, 956),
                check(-60, 200, 178),
            ],
            usual: Some(usual),
            month: Some(Month {
                coverage_percent: 99.98,
                observed: None,
                uptime_percent: 99.948,
                outages: 2,
                longest: Duration::from_secs(840),
            }),
            causes: Vec::new(),
            next_reminder: Some(at(7222)),
        },
        also_down: vec![
            OtherDown {
                name: name("blog"),
                since: at(2),
            },
            OtherDown {
                name: name("api"),
                since: at(4),
            },
        ],
        ..nobody(at(now))
    }
}

/// Around news of a monitor whose last checks were all like this one.
fn around_alike(now: i64, check: &Check) -> Around {
    let mut around = around(now);
    let same = |seconds: i64| Check {
        at: at(seconds),
        ..check.clone()
    };
    around.history.checks = vec![same(22), same(11), same(0), self::check(-60, 200, 178)];
    around
}

fn about() -> Option<About> {
    Some(About {
        monitor: MonitorId(7),
        name: name("shop"),
        url: "http://shop.example.com/".into(),
    })
}

pub fn one(news: News, decided: i64) -> Parcel {
    Parcel {
        kind: news.kind(),
        notices: vec![Notice {
            about: about(),
            news,
            decided_at: at(decided),
        }],
    }
}

fn about_us(news: News, decided: i64) -> Parcel {
    let mut parcel = one(news, decided);
    parcel.notices[0].about = None;
    parcel
}

fn burn() -> News {
    let window = |length_s: u64, times: f64| BurnWindow {
        length: Duration::from_secs(length_s),
        times,
        coverage_percent: 99.8,
    };
    News::Burn {
        objective: "Shop".to_owned(),
        target_percent: 99.9,
        period: "30d".to_owned(),
        long: window(3600, 16.7),
        short: window(300, 200.0),
        worst: vec![name("shop"), name("checkout")],
    }
}

fn shop_objective() -> ObjectiveRow {
    ObjectiveRow {
        name: "Shop".to_owned(),
        period: "30d".to_owned(),
        target_percent: 99.9,
        monitors: 2,
        uptime_percent: Some(99.921),
        coverage_percent: Some(98.4),
        budget_ms: 2_592_000,
        left_ms: 543_000,
        burns: [Some(16.7), Some(3.1), Some(0.9)],
    }
}

pub fn down() -> News {
    let last = check(22, 503, 1001);
    News::Down {
        incident: incident(),
        cause: cause(&last),
        up_since: Some(at(-1_051_200)),
        check: Box::new(last),
        checks_failed: 3,
        last_good: Some(Box::new(check(-60, 200, 178))),
        held: None,
        locations: Vec::new(),
    }
}

/// What differs from the last good answer, a secret of the page masked.
fn differing() -> Changed {
    let lines = [
        "@@ -1,7 +1,6 @@",
        " https://www.shop.example.com/",
        "-HTTP/1.1 200 OK",
        "+HTTP/1.1 503 Service Unavailable",
        " server: nginx",
        "-x-backend: web-2",
        "+retry-after: 120",
        " ",
        "-<h1>Welcome</h1>",
        "+<h1>Deploying</h1> <!-- token=*** -->",
    ];
    Changed {
        good_at: at(-3671),
        lines: lines.map(str::to_owned).into(),
    }
}

fn location(text: &str) -> LocationName {
    LocationName::parse(text).unwrap()
}

/// What one location says; `None`: it is silent since then.
fn seat(name: &str, said: Option<&Check>) -> LocationStatus {
    let state = match said.map(|check| &check.verdict) {
        Some(Verdict::Down(_)) => CheckState::Down,
        Some(_) => CheckState::Up,
        None => CheckState::Unknown,
    };
    LocationStatus {
        location: location(name),
        state,
        confirming: false,
        seen: if said.is_some() {
            Seen::Fresh
        } else {
            Seen::Silent
        },
        since: Some(at(0)),
        last_check_at: Some(said.map_or(at(-400), |check| check.at)),
        status: said.and_then(|check| check.status),
        failure: said.and_then(|check| check.verdict.failure().cloned()),
        address: said.and_then(|check| check.chain.remote_addr),
        total: said.map(|check| check.timings.total),
    }
}

fn down_from(locations: Vec<LocationStatus>) -> News {
    match down() {
        News::Down {
            incident,
            cause,
            up_since,
            check,
            checks_failed,
            last_good,
            held,
            ..
        } => News::Down {
            incident,
            cause,
            up_since,
            check,
            checks_failed,
            last_good,
            held,
            locations,
        },
        other => other,
    }
}

fn regional() -> (News, Around) {
    let mut check = check(22, 200, 178);
    check.verdict = Verdict::Degraded(Failure {
        kind: FailureKind::Regional,
        detail: "fails from sgp only (1 of 3; 2 are needed)".into(),
    });
    let around = around_alike(32, &check);
    let news = News::Degraded {
        check: Box::new(check),
        since: at(0),
        count: 1,
        reason: FailureKind::Regional,
        locations: vec![
            seat("fra", Some(&self::check(20, 200, 178))),
            seat("nyc", Some(&self::check(21, 200, 412))),
            seat("sgp", Some(&self::check(22, 503, 1130))),
        ],
    };
    (news, around)
}

fn refused() -> News {
    let mut last = check(22, 503, 1001);
    let failure = Failure {
        kind: FailureKind::ConnectRefused,
        detail: "connection refused by 203.0.113.7:80".into(),
    };
    last.verdict = Verdict::Down(failure.clone());
    last.status = None;
    last.chain = Arc::new(Chain {
        redirects: Vec::new(),
        final_url: "http://shop.example.com/".into(),
        remote_addr: Some(([203, 0, 113, 7], 80).into()),
    });
    (
        last.http_version,
        last.certificate,
        last.excerpt,
        last.retry_after_s,
    ) = (None, None, None, None);
    last.timings = Timings {
        dns: Some(Micros::new(3000)),
        total: Micros::new(5000),
        ..Timings::default()
    };
    News::Down {
        incident: incident(),
        cause: Cause {
            failure,
            status: None,
        },
        up_since: None,
        check: Box::new(last),
        checks_failed: 3,
        last_good: Some(Box::new(check(-60, 200, 178))),
        held: Some("maintenance".into()),
        locations: Vec::new(),
    }
}

pub fn up() -> News {
    News::Up {
        incident: incident(),
        cause: cause(&check(0, 503, 956)),
        closed_at: at(845),
        check: Box::new(check(855, 200, 189)),
        checks_failed: 16,
        flapping_since: None,
    }
}

/// The last outage of a flapping that began ten minutes before.
fn calm_again() -> News {
    News::Up {
        incident: incident(),
        cause: cause(&check(0, 503, 956)),
        closed_at: at(45),
        check: Box::new(check(45 + 1800, 200, 189)),
        checks_failed: 4,
        flapping_since: Some(at(-600)),
    }
}

fn escalated() -> News {
    escalated_at(Vec::new())
}

fn escalated_at(locations: Vec<LocationStatus>) -> News {
    let last = check(1795, 503, 1001);
    News::Escalated {
        incident: incident(),
        cause: cause(&check(0, 503, 956)),
        after: Duration::from_secs(1800),
        up_since: Some(at(-1_051_200)),
        check: Box::new(last),
        checks_failed: 32,
        last_good: Some(Box::new(check(-60, 200, 178))),
        locations,
    }
}

/// What came in a night, for somebody who is told in the morning.
fn opening() -> Parcel {
    let mut notices = vec![
        one(down(), 30).notices.remove(0),
        one(escalated(), 1800).notices.remove(0),
    ];
    let mut over = digest();
    notices.push(over.notices.remove(3));
    notices.extend(over.notices.into_iter().filter(|notice| {
        let about = notice.about.as_ref();
        about.is_some_and(|about| ["wiki", "cdn"].contains(&about.name.as_str()))
    }));
    for (news, at) in [
        (
            News::Trouble {
                what: "disk".into(),
                detail: "The database takes no writes since 18:20:11: no space left on the device."
                    .into(),
            },
            15_480,
        ),
        (
            News::Back {
                what: "disk".into(),
                after: Duration::from_secs(1260),
                detail: "It takes writes again. Nothing was lost.".into(),
            },
            16_740,
        ),
        (
            News::Blind {
                from: at(20_000),
                to: at(21_260),
                monitors: 41,
                names: vec![name("api")],
                stopped: None,
            },
            21_260,
        ),
        (burn(), 30_000),
        (
            News::Report {
                from: at(-7 * 86_400),
                to: at(0),
            },
            43_000,
        ),
    ] {
        notices.extend(about_us(news, at).notices);
    }
    Parcel {
        kind: MailKind::Digest,
        notices,
    }
}

fn digest() -> Parcel {
    let mut notices = Vec::new();
    for (index, site) in [
        "shop",
        "blog",
        "api",
        "wiki",
        "a site with quite a long name that goes on and on",
    ]
    .iter()
    .enumerate()
    {
        let offset = index as i64;
        let mut notice = one(down(), 30 + offset).notices.remove(0);
        let key = IncidentKey {
            monitor: MonitorId(7 + offset),
            opened_at: at(offset),
        };
        if let News::Down { incident, .. } = &mut notice.news {
            *incident = key;
        }
        if let Some(about) = &mut notice.about {
            about.monitor = key.monitor;
            about.name = name(site);
        }
        notices.push(notice);
    }
    let mut over = one(up(), 900).notices.remove(0);
    if let (News::Up { incident, .. }, Some(about)) = (&mut over.news, &mut over.about) {
        incident.monitor = MonitorId(10);
        incident.opened_at = at(3);
        about.monitor = MonitorId(10);
        about.name = name("wiki");
    }
    notices.push(over);
    let mut other = one(up(), 901).notices.remove(0);
    if let (News::Up { incident, .. }, Some(about)) = (&mut other.news, &mut other.about) {
        incident.monitor = MonitorId(99);
        about.monitor = MonitorId(99);
        about.name = name("cdn");
    }
    notices.push(other);
    Parcel {
        kind: MailKind::Digest,
        notices,
    }
}

fn report_rows() -> Vec<ReportRow> {
    let row = |site: &str, uptime: Option<f64>, coverage: f64, outages, down, p95| ReportRow {
        name: name(site),
        watched: Duration::from_secs((6048.0 * coverage) as u64),
        maintenance: Duration::ZERO,
        unwatched: Duration::from_secs((6048.0 * (100.0 - coverage)).round() as u64),
        uptime_percent: uptime,
        coverage_percent: coverage,
        outages,
        downtime: Duration::from_secs(down),
        longest: Duration::from_secs(down),
        p95_ms: p95,
    };
    vec![
        row("blog", Some(100.0), 99.98, 0, 0, Some(181.4)),
        row("shop", Some(99.861), 99.98, 2, 845, Some(1043.0)),
        row("api", Some(100.0), 42.5, 0, 0, Some(2310.6)),
        row(
            "a new site without a check so far, named at some length",
            None,
            0.0,
            0,
            0,
            None,
        ),
    ]
}

/// A good check, though one of three addresses is refused.
fn one_address_is_bad() -> Check {
    let mut check = check(22, 200, 200);
    let address = |last: u8, status: Option<u16>, failure: Option<Failure>| AddressCheck {
        addr: ([203, 0, 113, last], 80).into(),
        state: match failure {
            None => CheckState::Up,
            Some(_) => CheckState::Down,
        },
        status,
        failure,
        total: Some(Micros::new(42_000)),
        certificate: None,
    };
    let refused = Failure {
        kind: FailureKind::ConnectRefused,
        detail: "connection refused by 203.0.113.8:80".into(),
    };
    check.verdict = Verdict::Degraded(Failure {
        kind: FailureKind::AddressDown,
        detail: "1 of 3 addresses is bad: 203.0.113.8 connect_refused (connection refused by 203.0.113.8:80)".into(),
    });
    check.extras = Some(Box::new(Extras {
        addresses: Some(
            [
                address(7, Some(200), None),
                address(8, None, Some(refused)),
                address(9, Some(200), None),
            ]
            .into(),
        ),
        ..Extras::default()
    }));
    check
}

/// Every mail with a name for its file.
pub fn all() -> Vec<(&'static str, Parcel, Around)> {
    let mut slow = check(22, 200, 2310);
    slow.verdict = Verdict::Degraded(Failure {
        kind: FailureKind::Slow,
        detail: "2 352 ms, more than 2s; 2 310 ms of it for the first byte".into(),
    });
    let mut slow_for_the_hour = slow.clone();
    slow_for_the_hour.verdict = Verdict::Degraded(Failure {
        kind: FailureKind::Slow,
        detail: "2 352 ms, more than 3x the usual 180 ms (median at this hour of the week, 4 weeks); 2 310 ms of it \
                 for the first byte"
            .into(),
    });
    let mut by_usual = around(32);
    if let Some(Subject::Http(http)) = by_usual.monitor.as_mut().map(|shop| &mut shop.subject) {
        let expectation = Arc::make_mut(&mut http.expectation);
        expectation.degraded_after = SlowLimit::Usual(Factor::new(3.0).unwrap());
    }
    let one_is_bad = one_address_is_bad();
    let regional = regional();
    let mut moved = check(22, 200, 200);
    moved.chain = Arc::new(Chain {
        redirects: vec![moved.chain.redirects[0].clone()],
        final_url: "https://shop.example.com/sale".into(),
        remote_addr: None,
    });
    let moved_too = moved.clone();
    let week = at(7 * 86_400);
    let mut calm = nobody(week);
    calm.report = report_rows()
        .into_iter()
        .filter(|row| row.name.as_str() == "blog")
        .collect();
    // All of the week was watched.
    for row in &mut calm.report {
        row.coverage_percent = 100.0;
        row.unwatched = Duration::ZERO;
    }
    let mut busy = nobody(week);
    busy.report = report_rows();
    let mut late = around(7800);
    late.delay = Some(Delay {
        what: "mail",
        by: Duration::from_secs(7770),
        why: "it could not be delivered before (smtp.example.com: connection refused)".into(),
    });
    let mut over = around(860);
    over.history.causes = vec![
        ("503 Service Unavailable".into(), 14),
        ("connection refused".into(), 2),
    ];
    over.also_down.clear();
    over.history.checks.clear();
    let acked = |incident| Acked {
        incident,
        at: at(290),
        note: Some("deploy went wrong, rolling back, done by 15:00 - Kim".into()),
    };
    over.acks.push(acked(incident()));
    let mut reminded = around(7215);
    reminded.acks.push(acked(incident()));
    let mut spreading = around(32);
    spreading.confirming = 2;
    let mut storm = nobody(at(910));
    storm.acks.push(acked(IncidentKey {
        monitor: MonitorId(8),
        opened_at: at(1),
    }));
    storm.confirming = 37;
    // Of these only the second is told of nowhere else in the mail.
    for (other, since) in [("blog", 1), ("mail", -7200)] {
        storm.also_down.push(OtherDown {
            name: name(other),
            since: at(since),
        });
    }
    let mut old = around(1812);
    old.history.next_reminder = None;
    let mut morning = nobody(at(50_400));
    morning.delay = Some(Delay {
        what: "mail",
        by: Duration::from_secs(50_370),
        why: "it waited for the opening hours of its recipient".into(),
    });
    morning.reports.push(Reported {
        from: at(-7 * 86_400),
        to: at(0),
        rows: report_rows(),
    });
    let merged = Parcel {
        kind: MailKind::WasDown,
        notices: vec![
            one(down(), 30).notices.remove(0),
            one(up(), 860).notices.remove(0),
        ],
    };
    let mut dying = check(22, 200, 180);
    dying.certificate = dying.certificate.map(|certificate| {
        Arc::new(Certificate {
            not_after: at(6 * 86_400 + 7200),
            ..(*certificate).clone()
        })
    });
    let blind = News::Blind {
        from: at(0),
        to: at(1260),
        monitors: 41,
        names: vec![name("api"), name("blog"), name("shop")],
        stopped: None,
    };
    let interrupted = |blind_after| {
        let mut news = blind.clone();
        if let News::Blind { stopped, .. } = &mut news {
            *stopped = Some(Stopped {
                from: at(60),
                to: at(1258),
                times: 1,
                blind_after,
            });
        }
        about_us(news, 1260)
    };
    let trouble = News::Trouble {
        what: "disk".into(),
        detail: "The database takes no writes since 14:02:11: no space left on the device. Checks go on; \
                 212 results wait in memory."
            .into(),
    };
    let report = News::Report {
        from: at(0),
        to: week,
    };
    vec![
        ("down", one(down(), 30), around(32)),
        (
            "down_with_diff",
            one(down(), 30),
            Around {
                changed: Some(differing()),
                ..around(32)
            },
        ),
        ("down_refused_held", one(refused(), 30), spreading),
        ("down_late", one(down(), 30), late),
        (
            "still_down",
            one(
                News::StillDown {
                    incident: incident(),
                    cause: cause(&check(0, 503, 956)),
                    check: Box::new(check(7200, 503, 1001)),
                    checks_failed: 121,
                    next: Some(at(21_600)),
                },
                7210,
            ),
            reminded,
        ),
        ("escalated", one(escalated(), 1800), old),
        (
            "escalated_from_two_of_three",
            one(
                escalated_at(vec![
                    seat("fra", Some(&check(1795, 503, 1001))),
                    LocationStatus {
                        state: CheckState::Down,
                        confirming: true,
                        ..seat("nyc", Some(&check(1797, 200, 412)))
                    },
                    seat("sgp", Some(&check(1793, 200, 388))),
                ]),
                1800,
            ),
            around(1810),
        ),
        ("up", one(up(), 856), over),
        ("was_down", merged, around(870)),
        (
            "degraded_address",
            one(
                News::Degraded {
                    check: Box::new(one_is_bad.clone()),
                    since: at(0),
                    count: 3,
                    reason: FailureKind::AddressDown,
                    locations: Vec::new(),
                },
                22,
            ),
            around_alike(22, &one_is_bad),
        ),
        (
            "degraded_slow",
            one(
                News::Degraded {
                    check: Box::new(slow.clone()),
                    since: at(0),
                    count: 3,
                    reason: FailureKind::Slow,
                    locations: Vec::new(),
                },
                22,
            ),
            around_alike(32, &slow),
        ),
        (
            "degraded_slow_for_the_hour",
            one(
                News::Degraded {
                    check: Box::new(slow_for_the_hour),
                    since: at(-98),
                    count: 3,
                    reason: FailureKind::Slow,
                    locations: Vec::new(),
                },
                22,
            ),
            by_usual,
        ),
        (
            "degraded_intermittent",
            one(
                News::Degraded {
                    check: Box::new(check(22, 503, 1001)),
                    since: at(-1100),
                    count: 5,
                    reason: FailureKind::Intermittent,
                    locations: Vec::new(),
                },
                22,
            ),
            around(32),
        ),
        (
            "degraded_certificate",
            one(
                News::CertificateExpiring {
                    check: Box::new(dying),
                    step: Duration::from_secs(7 * 86_400),
                },
                22,
            ),
            around(32),
        ),
        (
            "flapping",
            one(
                News::Flapping {
                    incident: Some(incident()),
                    changes: 8,
                    within: Duration::from_secs(3600),
                    down_after: Duration::from_secs(600),
                    end_after: Duration::from_secs(1800),
                    check: Box::new(check(22, 503, 1001)),
                },
                22,
            ),
            around(32),
        ),
        (
            "flapping_good_now",
            one(
                News::Flapping {
                    incident: Some(incident()),
                    changes: 8,
                    within: Duration::from_secs(3600),
                    down_after: Duration::from_secs(600),
                    end_after: Duration::from_secs(1800),
                    check: Box::new(check(29, 200, 180)),
                },
                29,
            ),
            around(32),
        ),
        (
            "calm_again",
            one(calm_again(), 45 + 1800),
            around(45 + 1800),
        ),
        (
            "redirect_changed",
            one(
                News::RedirectChanged {
                    before: Box::new((*check(-60, 200, 178).chain).clone()),
                    check: Box::new(moved),
                    locations: Vec::new(),
                },
                22,
            ),
            around(32),
        ),
        (
            "redirect_changed_from_two",
            one(
                News::RedirectChanged {
                    before: Box::new((*check(-60, 200, 178).chain).clone()),
                    check: Box::new(moved_too),
                    locations: vec![location("fra"), location("nyc")],
                },
                22,
            ),
            around(32),
        ),
        ("digest", digest(), storm),
        ("digest_at_opening", opening(), morning),
        ("blind_and_stopped", interrupted(false), nobody(at(1262))),
        (
            "blind_before_and_after",
            interrupted(true),
            nobody(at(1262)),
        ),
        ("blind", about_us(blind, 1260), nobody(at(1262))),
        ("trouble", about_us(trouble, 60), nobody(at(62))),
        (
            "down_from_two_of_three",
            one(
                down_from(vec![
                    seat("fra", Some(&check(22, 503, 1001))),
                    seat("nyc", Some(&check(24, 503, 1090))),
                    seat("sgp", Some(&check(20, 200, 388))),
                ]),
                30,
            ),
            around(32),
        ),
        (
            "down_while_one_confirms",
            one(
                down_from(vec![
                    seat("fra", Some(&check(22, 503, 1001))),
                    seat("nyc", Some(&check(24, 503, 1090))),
                    LocationStatus {
                        state: CheckState::Up,
                        confirming: true,
                        ..seat("sgp", Some(&check(23, 503, 1388)))
                    },
                ]),
                30,
            ),
            around(32),
        ),
        (
            "down_from_one_that_is_left",
            one(
                down_from(vec![
                    seat("fra", Some(&check(22, 503, 1001))),
                    seat("nyc", None),
                    seat("sgp", None),
                ]),
                30,
            ),
            around(32),
        ),
        ("degraded_regional", one(regional.0, 30), regional.1),
        (
            "location_silent",
            about_us(location_news::silent(&["nyc".to_owned()], "20:00:00"), 60),
            nobody(at(62)),
        ),
        (
            "locations_silent",
            about_us(
                location_news::silent(&["nyc".to_owned(), "sgp".to_owned()], "20:00:00"),
                60,
            ),
            nobody(at(62)),
        ),
        (
            "location_back",
            about_us(
                location_news::back(&["nyc".to_owned()], Duration::from_secs(1260)),
                60,
            ),
            nobody(at(62)),
        ),
        (
            "location_clock",
            about_us(
                location_news::clock_is_off(&ProbeName::whole(location("nyc")), -18_000_000),
                60,
            ),
            nobody(at(62)),
        ),
        (
            "burn",
            about_us(burn(), 60),
            Around {
                objectives: vec![shop_objective()],
                ..nobody(at(70))
            },
        ),
        ("report", about_us(report.clone(), 7 * 86_400), busy),
        ("report_calm", about_us(report, 7 * 86_400), calm),
        ("test", about_us(News::Test, 0), nobody(at(1))),
    ]
}
