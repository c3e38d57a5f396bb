//! What checks of pings and name servers have beside others comes back from the journal and from the ledger.

use std::sync::Arc;

use sitewatch::domain::check::{Chain, Check, Extras, Micros, Packets};
use sitewatch::store::checks::history::HistoryQuery;

use super::{DAY, MINUTE, Place, START, check, enroll, record, settle};

fn ping(ms: i64, received: u8) -> Check {
    let time = (received > 0).then(|| Micros::new(u32::from(received) * 100));
    Check {
        extras: Some(Box::new(Extras {
            packets: Some(Packets {
                sent: 20,
                received,
                min: time,
                max: time.map(|time| time.plus(Micros::new(1))),
            }),
            answers: None,
            ..Extras::default()
        })),
        ..of("icmp://host.example", "192.0.2.1:0", ms)
    }
}

fn answers(ms: i64, texts: &[&str]) -> Check {
    Check {
        extras: Some(Box::new(Extras {
            packets: None,
            answers: Some(texts.iter().map(|&text| text.to_owned()).collect()),
            ..Extras::default()
        })),
        ..of("dns:///example.com?type=MX", "192.0.2.53:53", ms)
    }
}

fn of(url: &str, peer: &str, ms: i64) -> Check {
    Check {
        status: None,
        http_version: None,
        body_bytes: 0,
        chain: Arc::new(Chain {
            redirects: Vec::new(),
            final_url: url.into(),
            remote_addr: Some(peer.parse().expect("an address")),
        }),
        ..check('U', ms)
    }
}

#[test]
fn packets_and_answers_come_back() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["ping", "dns", "web"]);
    let mut all = Vec::new();
    for minute in 0..180 {
        let ms = START + minute * MINUTE;
        let received = u8::try_from(minute % 21).expect("small");
        all.push((ids[0], ping(ms, received)));
        let texts: &[&str] = match minute % 3 {
            0 => &["10 a.example", "20 b.example"],
            1 => &["10 a.example"],
            _ => &[],
        };
        all.push((ids[1], answers(ms, texts)));
        all.push((ids[2], check('U', ms)));
    }
    record(&mut store, &all);
    for settled in [false, true] {
        if settled {
            settle(&mut store, START + DAY);
        }
        let reader = place.reader();
        for id in &ids {
            let query = HistoryQuery {
                monitors: vec![*id],
                ..HistoryQuery::default()
            };
            let mut came = Vec::new();
            reader
                .history(&query, &mut |_, check, _| {
                    came.push(check);
                    std::ops::ControlFlow::Continue(())
                })
                .expect("it is read");
            came.reverse();
            let want: Vec<&Check> = all
                .iter()
                .filter(|(monitor, _)| monitor == id)
                .map(|(_, check)| check)
                .collect();
            assert_eq!(came.len(), want.len());
            for (came, want) in came.iter().zip(want) {
                assert_eq!(came.extras, want.extras, "settled: {settled}");
                assert_eq!(came.chain, want.chain);
                assert_eq!(came.redirect_times, want.redirect_times);
            }
        }
    }
}

#[test]
fn answers_that_are_new_each_time_are_counted_not_kept_for_ever() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["dns"]);
    let long = "x".repeat(1000);
    let all: Vec<_> = (0..2000)
        .map(|number| {
            let text = format!("{number} {long}");
            (ids[0], answers(START + number * 1000, &[&text]))
        })
        .collect();
    record(&mut store, &all);
    let bytes = std::fs::metadata(&place.path).expect("a file").len();
    let wal = place.path.with_extension("db-wal");
    let wal = std::fs::metadata(wal).map_or(0, |facts| facts.len());
    assert!(bytes + wal < 8 << 20, "{bytes} and {wal} bytes");
}
