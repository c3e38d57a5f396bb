//! Names over servers, families and the search list: what fails on the way does not decide for the rest.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sitewatch::clock;
use sitewatch::domain::check::Check;
use sitewatch::domain::target::{DnsSettings, IpVersion};
use sitewatch::probe::Prober;

use crate::support::check::{check_with, expectation, summary, target, verdict};
use crate::support::dns::{Asked, NameServer, Says};
use crate::support::site::{Site, answer};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn home() -> Says {
    Says::Addresses(vec![HOME])
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn after(wait: u64, says: Says) -> Says {
    Says::After(ms(wait), Box::new(says))
}

/// A site, and a system whose resolv.conf names these servers.
struct System {
    site: Site,
    prober: Prober,
    _directory: tempfile::TempDir,
}

impl System {
    async fn new(servers: &[&NameServer], rest: &str, timeout: Duration) -> Self {
        let lines: Vec<String> = servers
            .iter()
            .map(|server| {
                let (ip, port) = (server.address.ip(), server.address.port());
                format!("nameserver [{ip}]:{port}\n")
            })
            .collect();
        let directory = tempfile::tempdir().expect("a directory");
        let resolv_conf = directory.path().join("resolv.conf");
        std::fs::write(&resolv_conf, lines.concat() + rest).expect("a file");
        let prober = Prober::new(&DnsSettings {
            servers: Vec::new(),
            resolv_conf,
            hosts: "/nonexistent".into(),
            timeout,
        })
        .expect("a prober");
        Self {
            site: Site::plain(|_| answer(200, "", "")).await,
            prober,
            _directory: directory,
        }
    }

    async fn check(&self, host: &str) -> Check {
        self.check_version(host, IpVersion::Any).await
    }

    async fn check_version(&self, host: &str, version: IpVersion) -> Check {
        let mut target = target(&format!("http://{host}:{}/", self.site.port()));
        target.ip_version = version;
        check_with(&self.prober, target, &expectation()).await
    }
}

/// One check of a host with this resolv.conf and this server.
async fn seen(
    host: &str,
    rest: &str,
    table: impl Fn(&Asked) -> Says + Send + Sync + 'static,
) -> (String, NameServer) {
    let dns = NameServer::scripted(table).await;
    let system = System::new(&[&dns], rest, ms(1500)).await;
    (summary(&system.check(host).await), dns)
}

const SEARCH: &str = "search a.test b.test corp.test\noptions ndots:5\n";

/// The name itself is known, the last search domain does this.
fn broken_domain(bad: Says) -> impl Fn(&Asked) -> Says {
    move |asked| match asked.name.as_str() {
        "web.site.test" => home(),
        name if name.ends_with("corp.test") => bad.clone(),
        _ => Says::NxDomain,
    }
}

#[tokio::test]
async fn a_search_domain_that_fails_is_passed_over() {
    for bad in [
        Says::ServFail,
        Says::Refused,
        Says::Silence,
        Says::Garbage,
        Says::Referral,
        Says::NxDomain,
        Says::Addresses(Vec::new()),
        Says::Code(4),
    ] {
        let (got, dns) = seen("web.site.test", SEARCH, broken_domain(bad.clone())).await;
        assert_eq!(got, "up 200", "{bad:?}");
        let want = [
            "web.site.test.a.test",
            "web.site.test.b.test",
            "web.site.test.corp.test",
            "web.site.test",
        ];
        assert_eq!(dns.names(), want, "{bad:?}");
    }
}

#[tokio::test]
async fn every_domain_may_be_silent() {
    let (got, _) = seen("web.site.test", SEARCH, |asked| match asked.name.as_str() {
        "web.site.test" => home(),
        _ => Says::Silence,
    })
    .await;
    assert_eq!(got, "up 200");
    // A name of the list that is slower than its share of the time still serves.
    let (got, _) = seen("db", "search a.test b.test\n", |asked| {
        match asked.name.as_str() {
            "db.a.test" => after(900, home()),
            _ => Says::NxDomain,
        }
    })
    .await;
    assert_eq!(got, "up 200");
}

#[tokio::test]
async fn a_failure_is_told_of_the_name_that_was_written() {
    type Case = (Says, Says, &'static str);
    let cases: [Case; 6] = [
        (Says::ServFail, Says::NxDomain, "down dns_failure"),
        (Says::Silence, Says::NxDomain, "down dns_timeout"),
        (Says::NxDomain, Says::ServFail, "down dns_failure"),
        (Says::NxDomain, Says::Silence, "down dns_timeout"),
        (Says::NxDomain, Says::NxDomain, "down dns_not_found"),
        (
            Says::NxDomain,
            Says::Addresses(Vec::new()),
            "down dns_not_found",
        ),
    ];
    for (searched, own, want) in cases {
        let told = format!("{searched:?}, {own:?}");
        let (got, _) = seen("web.site.test", SEARCH, move |asked| {
            match asked.name.as_str() {
                "web.site.test" => own.clone(),
                _ => searched.clone(),
            }
        })
        .await;
        assert!(got.starts_with(want), "{told}: {got}");
        assert!(got.contains(": `web.site.test`: "), "{told}: {got}");
    }
}

#[tokio::test]
async fn dots_decide_which_name_comes_first() {
    for (host, rest, want) in [
        (
            "web.site.test",
            "search lan\n",
            "web.site.test web.site.test.lan",
        ),
        ("db", "search lan\n", "db.lan db"),
        ("db", "search lan\noptions ndots:0\n", "db db.lan"),
        ("db.", SEARCH, "db"),
        ("db", "search .\n", "db"),
        ("db", "search --\n", "db"),
        ("db", "search lan\ndomain home\n", "db.home db"),
        ("a.b", "search c..d lan\noptions ndots:2\n", "a.b.lan a.b"),
    ] {
        let (got, dns) = seen(host, rest, |_| Says::NxDomain).await;
        assert!(got.starts_with("down dns_not_found"), "{host}: {got}");
        assert_eq!(dns.names().join(" "), want, "{host} {rest:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_counts_while_the_question_is_repeated() {
    for wait in [600, 1200] {
        let (got, dns) = seen("site.test", "", move |asked| match asked.earlier {
            0 => after(wait, home()),
            _ => Says::Silence,
        })
        .await;
        assert_eq!(got, "up 200", "{wait} ms");
        assert!(dns.asked() > 2, "{wait} ms");
    }
    // A datagram that gets lost is repeated.
    let (got, _) = seen("site.test", "", |asked| match asked.earlier {
        0 => Says::Silence,
        _ => home(),
    })
    .await;
    assert_eq!(got, "up 200");
}

#[tokio::test]
async fn a_silent_server_may_still_answer() {
    let late = NameServer::scripted(|asked| match asked.earlier {
        0 => after(1000, home()),
        _ => Says::Silence,
    })
    .await;
    let silent = NameServer::start(|_| Says::Silence).await;
    let system = System::new(&[&late, &silent], "", ms(1500)).await;
    assert_eq!(summary(&system.check("site.test").await), "up 200");
    assert!(silent.asked() > 0);
    // The next server is asked long before the end.
    let good = NameServer::loopback().await;
    let system = System::new(&[&silent, &good], "", ms(1500)).await;
    let begun = clock::tick();
    assert_eq!(summary(&system.check("site.test").await), "up 200");
    assert!(begun.elapsed() < ms(1000), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_dead_server_costs_a_bounded_number_of_questions() {
    let silent = NameServer::start(|_| Says::Silence).await;
    let other = NameServer::start(|_| Says::Silence).await;
    let system = System::new(&[&silent, &other], SEARCH, ms(1500)).await;
    let begun = clock::tick();
    let got = system.check("web.site.test").await;
    assert_eq!(verdict(&got), "down dns_timeout");
    assert!(begun.elapsed() < ms(1900), "{:?}", begun.elapsed());
    // Four names, two families, three tries.
    assert!(silent.asked() <= 24, "{}", silent.asked());
    assert!(silent.ports() <= 24, "{}", silent.ports());
    let said = summary(&got);
    for server in [&silent, &other] {
        assert!(said.contains(&server.address.to_string()), "{said}");
    }
}

#[tokio::test]
async fn the_later_family_is_not_thrown_away() {
    let nowhere: IpAddr = "2001:db8::1".parse().expect("an address");
    // Nobody listens there, or this host has no IPv6: whichever, the other family serves.
    let closed = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    for first in [nowhere, closed] {
        for wait in [0, 200, 300, 900] {
            let dns = NameServer::scripted(move |asked| match asked.six {
                true => Says::Addresses(vec![first]),
                false => after(wait, home()),
            })
            .await;
            let system = System::new(&[&dns], "", ms(3000)).await;
            let check = system.check("site.test").await;
            assert_eq!(summary(&check), "up 200", "{first} {wait}");
            let only = system.check_version("site.test", IpVersion::V6).await;
            assert_ne!(verdict(&only), "up 200", "{first} {wait}");
        }
    }
}

#[tokio::test]
async fn a_family_that_fails_does_not_hold_the_other_up() {
    for bad in [
        Says::ServFail,
        Says::NxDomain,
        Says::Refused,
        Says::Code(1),
        Says::Code(4),
        Says::Garbage,
        Says::Silence,
        Says::Addresses(Vec::new()),
    ] {
        let says = bad.clone();
        let table = move |asked: &Asked| match asked.six {
            true => says.clone(),
            false => home(),
        };
        let dns = NameServer::scripted(table).await;
        let silent = NameServer::start(|_| Says::Silence).await;
        let system = System::new(&[&dns, &silent], "", ms(3000)).await;
        // The quickest of three, since a busy machine is late now and then.
        let mut quickest = Duration::MAX;
        for _ in 0..3 {
            let begun = clock::tick();
            let got = summary(&system.check("site.test").await);
            assert_eq!(got, "up 200", "{bad:?}");
            quickest = quickest.min(begun.elapsed());
        }
        let most = match bad {
            Says::Silence => ms(800),
            _ => ms(230),
        };
        assert!(quickest < most, "{bad:?}: {quickest:?}");
    }
    // NXDOMAIN for one family and a slow answer for the other.
    let (got, _) = seen("site.test", "", |asked| match asked.six {
        true => Says::NxDomain,
        false => after(800, home()),
    })
    .await;
    assert_eq!(got, "up 200");
}

#[tokio::test]
async fn a_long_list_of_one_family_does_not_push_the_other_out() {
    let (got, _) = seen("site.test", "", |asked| {
        // Too many for 512 bytes, and without the truncation flag.
        let mut all: Vec<IpAddr> = (1..=30)
            .map(|last| format!("2001:db8::{last:x}").parse().expect("an address"))
            .collect();
        all.push(HOME);
        match asked.tcp {
            true => Says::Silence,
            false => Says::Addresses(all),
        }
    })
    .await;
    assert_eq!(got, "up 200");
}

#[tokio::test]
async fn servers_that_do_not_know_edns_are_asked_without() {
    for bad in [
        Says::Code(1),
        Says::Code(4),
        Says::ServFail,
        Says::Refused,
        Says::Garbage,
        Says::Silence,
    ] {
        let says = bad.clone();
        let (got, dns) = seen("site.test", "options edns0\n", move |asked| {
            match asked.edns {
                true => says.clone(),
                false => home(),
            }
        })
        .await;
        assert_eq!(got, "up 200", "{bad:?}");
        assert!(dns.log()[0].edns, "{bad:?}");
    }
    let (_, dns) = seen("site.test", "", |_| home()).await;
    assert!(dns.log().iter().all(|asked| !asked.edns));
}

#[tokio::test]
async fn cut_answers_are_asked_for_over_tcp() {
    let cut = || Says::Cut(vec![HOME]);
    for (over_tcp, partial, want) in [
        (home(), Says::Cut(Vec::new()), "up 200"),
        (Says::Silence, cut(), "up 200"),
        (Says::Garbage, cut(), "down dns_failure"),
        (Says::NxDomain, cut(), "down dns_not_found"),
        (Says::Cut(Vec::new()), cut(), "down dns_failure"),
        (Says::Silence, Says::Cut(Vec::new()), "down dns_failure"),
    ] {
        let told = format!("{over_tcp:?} {partial:?}");
        let (got, dns) = seen("site.test", "", move |asked| match asked.tcp {
            true => over_tcp.clone(),
            false => partial.clone(),
        })
        .await;
        assert!(got.starts_with(want), "{told}: {got}");
        assert!(dns.log().iter().any(|asked| asked.tcp), "{told}");
    }
    // TCP from the start.
    let (got, dns) = seen("site.test", "options use-vc\n", |_| home()).await;
    assert_eq!(got, "up 200");
    assert!(dns.log().iter().all(|asked| asked.tcp));
}

#[tokio::test]
async fn aliases_are_followed_to_an_end() {
    let (got, _) = seen("site.test", "", |asked| match asked.name.as_str() {
        "site.test" => Says::Alias("b.test"),
        "b.test" => Says::Alias("c.test"),
        _ => home(),
    })
    .await;
    assert_eq!(got, "up 200");
    let (got, dns) = seen("site.test", "", |asked| match asked.name.as_str() {
        "a.test" => Says::Alias("site.test"),
        _ => Says::Alias("a.test"),
    })
    .await;
    assert!(got.starts_with("down dns_failure"), "{got}");
    assert!(dns.asked() < 100, "{}", dns.asked());
}

#[tokio::test]
async fn answers_to_other_questions_are_passed_over() {
    let strays = |count| move |_: &Asked| Says::Strays(count, Box::new(home()));
    assert_eq!(seen("site.test", "", strays(20)).await.0, "up 200");
    // Somebody forges many: the answer that is not among them counts all the same.
    assert_eq!(seen("site.test", "", strays(66)).await.0, "up 200");
    assert_eq!(seen("site.test", "", strays(500)).await.0, "up 200");
}

/// Who sends that many may have guessed right in the end.
#[tokio::test]
async fn among_strays_it_is_tcp_that_counts() {
    let strays = |then| Says::Strays(80, Box::new(then));
    let (got, dns) = seen("site.test", "", move |asked| match asked.tcp {
        true => after(200, home()),
        false => strays(Says::Addresses(vec![
            "192.0.2.1".parse().expect("an address"),
        ])),
    })
    .await;
    assert_eq!(got, "up 200");
    assert!(dns.log().iter().any(|asked| asked.tcp));
    // Where there is none, the datagram does.
    let (got, _) = seen("site.test", "", move |asked| match asked.tcp {
        true => after(200, Says::Silence),
        false => strays(home()),
    })
    .await;
    assert_eq!(got, "up 200");
}

#[tokio::test]
async fn options_change_how_servers_are_asked() {
    let (got, dns) = seen("site.test", "options no-aaaa\n", |_| home()).await;
    assert_eq!(got, "up 200");
    assert!(dns.log().iter().all(|asked| !asked.six));
    let (got, dns) = seen(
        "site.test",
        "options single-request\n",
        |asked| match asked.six {
            true => Says::NxDomain,
            false => after(50, home()),
        },
    )
    .await;
    assert_eq!(got, "up 200");
    assert!(!dns.log()[0].six && dns.log()[1].six);
    let (got, dns) = seen("site.test", "options attempts:1\n", |_| Says::Silence).await;
    assert!(got.starts_with("down dns_timeout"), "{got}");
    assert_eq!(dns.asked(), 2);
    let (one, two) = (NameServer::loopback().await, NameServer::loopback().await);
    let system = System::new(&[&one, &two], "options rotate\n", ms(1500)).await;
    for _ in 0..2 {
        assert_eq!(summary(&system.check("site.test").await), "up 200");
    }
    assert!(one.asked() > 0 && two.asked() > 0);
}

#[tokio::test]
async fn what_of_the_file_could_not_be_read_is_a_hint() {
    let rest = "nameserver 10.0.0.300\nsearch corp..example lan\noptions retrans:1\nnonsense\n";
    let (got, _) = seen("site.test", rest, |_| home()).await;
    assert_eq!(got, "up 200");
    let (got, _) = seen("site.test", rest, |_| Says::ServFail).await;
    assert!(
        got.contains("nameserver `10.0.0.300` is not an IP address"),
        "{got}"
    );
    assert!(
        got.contains("`corp..example` is not a valid domain"),
        "{got}"
    );
    assert!(
        !got.contains("retrans") && !got.contains("nonsense"),
        "{got}"
    );
}

#[tokio::test]
async fn a_link_local_server_is_asked_on_its_interface() {
    let silent = NameServer::start(|_| Says::Silence).await;
    // A server that cannot be asked does not hold the good one up.
    let good = NameServer::loopback().await;
    let rest = "nameserver fe80::53%nowhere0\n";
    let system = System::new(&[&good], rest, ms(1500)).await;
    assert_eq!(summary(&system.check("site.test").await), "up 200");
    let system = System::new(&[], rest, ms(500)).await;
    let got = summary(&system.check("site.test").await);
    assert!(got.starts_with("unknown local"), "{got}");
    assert!(got.contains("[fe80::53%nowhere0]:53"), "{got}");
    assert!(got.contains("no interface `nowhere0`"), "{got}");
    // Elsewhere the zone has no say.
    let rest = format!("nameserver [::1%nowhere0]:{}\n", silent.address.port());
    let system = System::new(&[&silent], &rest, ms(500)).await;
    let got = summary(&system.check("site.test").await);
    assert!(got.contains("[::1%nowhere0]"), "{got}");
}
