//! `icmp://` where this host answers itself.

use std::net::Ipv4Addr;

use sitewatch::clock;
use sitewatch::config::default_subject;
use sitewatch::daemon::checks::judging::Judges;
use sitewatch::domain::check::Check;
use sitewatch::domain::subject::{IcmpManner, IcmpSubject, NO_RIGHT_TO_PING, Subject};
use sitewatch::domain::target::IpVersion;
use sitewatch::probe::{Prober, may_ping};
use std::sync::Arc;

use crate::support::check::{asking, nameless, summary, verdict};
use crate::support::dns::{NameServer, Says};

async fn check_with(prober: &Prober, url: &str, version: IpVersion) -> Check {
    let (_, subject) = default_subject(
        url,
        sitewatch::domain::connect_to::Direct::default(),
        sitewatch::domain::http_choice::HttpChoice::One,
    )
    .expect("a URL that can be checked");
    let Subject::Icmp(icmp) = subject else {
        panic!("{url} is no ping")
    };
    let subject = Subject::Icmp(Arc::new(IcmpSubject {
        url: Arc::clone(&icmp.url),
        host: icmp.host.clone(),
        manner: Arc::new(IcmpManner {
            ip_version: version,
            ..(*icmp.manner).clone()
        }),
    }));
    let judges = Judges::default();
    let observed = prober.observe(&subject, clock::now(), &judges).await;
    judges
        .judge(&subject, observed)
        .await
        .expect("nothing panics")
        .0
}

/// What is told of a host that answers, where this process may ping.
fn assert_replied(check: &Check) {
    if !may_ping() {
        let want = format!("unknown local: {NO_RIGHT_TO_PING}");
        assert_eq!(summary(check), want);
        return;
    }
    assert_eq!(summary(check), "up");
    let extras = check.extras.as_deref().expect("it has packets");
    let packets = extras.packets.expect("they were counted");
    assert_eq!((packets.sent, packets.received), (3, 3));
    let (min, max) = (
        packets.min.expect("one came"),
        packets.max.expect("one came"),
    );
    assert!(min <= check.timings.total && check.timings.total <= max);
    assert_eq!(check.chain.remote_shown().as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn this_host_replies() {
    assert_replied(&check_with(&nameless(), "icmp://127.0.0.1", IpVersion::Any).await);
    let server = NameServer::start(|_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await;
    let prober = asking(&[&server]);
    assert_replied(&check_with(&prober, "icmp://host.test", IpVersion::Any).await);
    assert_replied(&check_with(&prober, "icmp://host.test", IpVersion::V4).await);
}

#[tokio::test]
async fn a_name_without_an_address_is_not_pinged() {
    for (says, version, want) in [
        (Says::NxDomain, IpVersion::Any, "down dns_not_found"),
        (
            Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()]),
            IpVersion::V6,
            "down dns_not_found",
        ),
        (Says::ServFail, IpVersion::Any, "down dns_failure"),
        (Says::Silence, IpVersion::Any, "down dns_timeout"),
    ] {
        let server = NameServer::start(move |_| says.clone()).await;
        let check = check_with(&asking(&[&server]), "icmp://host.test", version).await;
        assert_eq!(verdict(&check), want, "{}", summary(&check));
        assert_eq!(check.extras, None);
        assert!(check.timings.dns.is_some());
    }
}
