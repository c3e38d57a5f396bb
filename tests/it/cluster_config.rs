//! `[cluster]` from outside: what a hub and a probe may write, and that a monitor is the same at a probe.

use std::path::Path;

use sitewatch::config::{self, Environment, Monitors};
use sitewatch::domain::cluster::{ClusterRole, NatsCredentials};
use sitewatch::domain::nkey;

const HUB: &str = "[cluster]\nurl = \"tls://nats.example.com:4222\"\nnkey_file = \"hub.nk\"\nlocations = [\"fra\", \"nyc\"]\n";
const PROBE: &str = "[cluster]\nrole = \"probe\"\nlocation = \"nyc\"\nurl = \"tls://nats.example.com\"\nnkey_file = \"hub.nk\"\n\
    [connectivity]\ncanaries = [\"https://one.one.one.one/\"]\n";

fn environment(directory: &Path, variables: &[(&str, &str)]) -> Environment {
    Environment {
        variables: variables
            .iter()
            .chain(&[("HOME", "/home/kim")])
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        directory: directory.to_owned(),
        is_root: false,
    }
}

fn loaded(text: &str) -> Result<config::Config, String> {
    let directory = tempfile::tempdir().expect("a file of a temporary folder");
    let seed = nkey::seed_text(&[9; 32]);
    std::fs::write(directory.path().join("hub.nk"), seed).expect("a file of a temporary folder");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(directory.path().join("hub.nk"), private)
        .expect("a file of a temporary folder");
    std::fs::write(directory.path().join("token"), "word\n").expect("a file of a temporary folder");
    std::fs::write(directory.path().join("monitors.toml"), text)
        .expect("a file of a temporary folder");
    let environment = environment(directory.path(), &[("TOKEN", "hub-token")]);
    config::load(Path::new("monitors.toml"), &environment).map_err(|errors| {
        let lines: Vec<String> = errors.lines().collect();
        lines.join("\n")
    })
}

#[test]
fn a_hub_has_locations_and_a_probe_has_one() {
    let hub = loaded(HUB).unwrap();
    let places = hub.places().unwrap();
    assert_eq!(places.locations.len(), 2);
    assert_eq!(
        (places.here.is_none(), places.silent_after.as_secs()),
        (true, 120)
    );
    let cluster = hub.cluster.as_ref().unwrap();
    assert_eq!(
        (
            cluster.server.host.as_str(),
            cluster.server.port,
            cluster.server.tls
        ),
        ("nats.example.com", 4222, true)
    );
    assert!(matches!(
        cluster.server.credentials,
        NatsCredentials::Nkey(_)
    ));
    let probe = loaded(PROBE).unwrap();
    assert!(probe.places().is_none());
    let ClusterRole::Probe(own) = &probe.cluster.as_ref().unwrap().role else {
        panic!("no probe");
    };
    assert_eq!((own.location.as_str(), own.spool_bytes), ("nyc", 1 << 30));
    assert!(probe.daemon.database.ends_with("spool.db"));
    assert_eq!(probe.warnings, Vec::<String>::new());
    assert!(loaded("").unwrap().cluster.is_none());
}

/// Each case is a file and the one thing that is said of it.
#[test]
fn what_cannot_be_is_said() {
    let hub = |more: &str| format!("{HUB}{more}");
    let cases = [
        (
            HUB.replace("tls:", "nats:"),
            "the way to nats.example.com is not encrypted",
        ),
        (
            HUB.replace("nkey_file = \"hub.nk\"\n", ""),
            "[cluster] needs `nkey_file`",
        ),
        (
            HUB.replace("hub.nk", "token"),
            "the file is not the seed of an nkey",
        ),
        (
            HUB.replace("locations = [\"fra\", \"nyc\"]\n", ""),
            "[cluster] needs `locations`",
        ),
        (
            HUB.replace("\"nyc\"", "\"fra\""),
            "the location `fra` stands twice",
        ),
        (
            HUB.replace("\"nyc\"", "\"New York\""),
            "a location's name has only a-z, 0-9 and `-`",
        ),
        (
            HUB.replace("[\"fra\", \"nyc\"]", "[]"),
            "`locations` is empty",
        ),
        (
            hub("location = \"sgp\"\n"),
            "`sgp` is not one of `locations`",
        ),
        (hub("standby = 1\n"), "`standby`"),
        (
            PROBE.replace("role = \"probe\"\n", "role = \"probe\"\nstandby = true\n"),
            "`standby` is a hub's",
        ),
        (hub("spool_size = \"1GiB\"\n"), "`spool_size` is a probe's"),
        (
            hub("silent_after = \"5s\"\n"),
            "silent_after 5s is too short",
        ),
        (
            hub("[[source]]\nfile = \"a.txt\"\n"),
            "this version has no [[source]] beside [cluster]",
        ),
        (
            PROBE.replace(
                "[connectivity]\ncanaries = [\"https://one.one.one.one/\"]\n",
                "",
            ),
            "a probe needs canaries",
        ),
        (
            PROBE.replace("location = \"nyc\"\n", ""),
            "[cluster] needs `location`",
        ),
        (
            format!(
                "{PROBE}[email]\ndirectory = \"o\"\nfrom = \"a@b.example\"\nto = [\"a@b.example\"]\n"
            ),
            "a probe's file has no [email]",
        ),
        (
            format!("{PROBE}[[monitor]]\nurl = \"https://a.example/\"\n"),
            "a probe's file has no [[monitor]]",
        ),
        (
            PROBE.replace("location = ", "share = \"0/4\"\nlocation = "),
            "there is no share 0 of 4",
        ),
        (hub("share = \"2/4\"\n"), "`share` is a probe's"),
        (
            PROBE.replace("location = ", "locations = [\"fra\"]\nlocation = "),
            "`locations` is a hub's",
        ),
    ];
    for (text, expected) in cases {
        let said = loaded(&text).expect_err(&text);
        assert!(said.contains(expected), "{text}\n{said}");
        assert_eq!(said.lines().count(), 1, "{text}\n{said}");
    }
}

#[test]
fn a_probe_may_have_a_share() {
    let config = loaded(&PROBE.replace("location = ", "share = \"2/4\"\nlocation = ")).unwrap();
    let ClusterRole::Probe(probe) = &config.cluster.as_ref().unwrap().role else {
        panic!("it is a probe");
    };
    let share = probe.share.unwrap();
    assert_eq!((share.number(), share.of()), (2, 4));
}

#[test]
fn a_secret_that_is_written_out_is_refused() {
    let of = |keys: &str| loaded(&format!("{HUB}[[monitor]]\nname = \"a\"\n{keys}"));
    for literal in [
        "url = \"https://kim:secret@a.example/\"\n",
        "url = \"https://a.example/\"\nbasic_auth = { username = \"kim\", password = \"secret\" }\n",
        "url = \"https://a.example/\"\nheaders = { authorization = \"Basic abc\" }\n",
        "url = \"https://a.example/\"\nheaders = { Cookie = \"a=b\" }\n",
        "url = \"https://a.example/\"\nproxy = \"http://kim:secret@proxy.example:3128\"\n",
    ] {
        let said = of(literal).expect_err(literal);
        assert!(
            said.contains("is written out") && !said.contains("secret"),
            "{literal}\n{said}"
        );
    }
    for reference in [
        "url = \"https://kim:${TOKEN}@a.example/\"\n",
        "url = \"https://a.example/\"\nbasic_auth = { username = \"kim\", password = \"${TOKEN}\" }\n",
        "url = \"https://a.example/\"\nbearer_token_file = \"token\"\n",
        "url = \"https://a.example/\"\nheaders = { Authorization = \"Bearer ${TOKEN}\", X-Plain = \"words\" }\n",
    ] {
        let config = of(reference).unwrap_or_else(|said| panic!("{reference}\n{said}"));
        let text = &config.portable[0];
        assert!(
            !text.contains("hub-token") && !text.contains("word\n"),
            "{text}"
        );
    }
    // Also where it comes from [defaults].
    let defaults = format!(
        "{HUB}[defaults]\nheaders = {{ Cookie = \"a=b\" }}\n[[monitor]]\nurl = \"https://a.example/\"\n"
    );
    assert!(loaded(&defaults).unwrap_err().contains("is written out"));
}

#[test]
fn a_monitor_is_the_same_at_a_probe() {
    let monitors = "[alerts]\ncertificate_expiry = [\"30d\"]\n[defaults]\ninterval = \"30s\"\ntimeout = \"3s\"\n\
        body_contains = [\"Welcome\"]\n[[monitor]]\nurl = \"https://a.example/?q=$${x}&r=\\\"1\\\"\"\n\
        headers = { Accept = \"text/html\", X-Key = \"${TOKEN}\" }\ntags = [\"prod\"]\nnote = \"a note\"\n\
        [[monitor]]\nname = \"cron\"\nurl = \"https://b.example/\"\nschedule = \"0 */5 8-18 * * Mon-Fri\"\n\
        json = [{ path = \"$.status\", equals = \"ok\" }, { path = \"$.n\", less_than = 1.5 }]\nexpect_status = [200, \"3xx\"]\n\
        [[monitor]]\nname = \"mail\"\nurl = \"tls://mail.example.com:993\"\nstarttls = \"imap\"\n\
        [[monitor]]\nurl = \"dns://192.0.2.53/example.com?type=MX\"\nanswers = [\"10 mail.example.com\"]\n";
    let text = format!("{HUB}{monitors}");
    let config = match loaded(&text) {
        Ok(config) => config,
        Err(said) => panic!("{said}"),
    };
    assert_eq!(config.portable.len(), config.monitors.len());
    let directory = tempfile::tempdir().unwrap();
    let own = environment(directory.path(), &[("TOKEN", "hub-token")]);
    let expiry = config.alerts.certificate_expiry.clone();
    let mut reader = Monitors::new(&own, directory.path(), expiry);
    for (monitor, text) in config.monitors.iter().zip(&config.portable) {
        let read = reader
            .read(text)
            .unwrap_or_else(|why| panic!("{text}\n{why}"));
        assert_eq!(read.name, monitor.name);
        assert_eq!(read.schedule, monitor.schedule);
        assert_eq!(
            format!("{:?}", read.subject),
            format!("{:?}", monitor.subject),
            "{text}"
        );
        assert_eq!(read.rules.timeout, monitor.rules.timeout);
        assert_eq!(read.rules.retry_interval, monitor.rules.retry_interval);
        for of_hub in ["prod", "a note"] {
            assert!(!text.contains(of_hub), "{text}");
        }
    }
    // A probe that lacks the variable says so, for that monitor alone.
    let bare = environment(directory.path(), &[]);
    let mut reader = Monitors::new(&bare, directory.path(), Vec::new());
    let said = reader.read(&config.portable[0]).unwrap_err();
    assert!(said.contains("TOKEN"), "{said}");
    assert!(reader.read(&config.portable[1]).is_ok());
    for hostile in [
        "",
        "x",
        "name = 1",
        "url = \"https://a.example/\"\nto = 3",
        "[[[[",
    ] {
        assert!(reader.read(hostile).is_err(), "{hostile}");
    }
}
