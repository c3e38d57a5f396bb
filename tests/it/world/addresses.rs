//! Every address of a name by itself, for a day: what comes and goes in DNS is nobody's news.

use std::net::SocketAddr;
use std::ops::ControlFlow;

use sitewatch::daemon::recorder::message::Entry;
use sitewatch::domain::check::Check;
use sitewatch::domain::connect_to::BadAddress;
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::verdict::addresses::{address_check, judged_by_addresses};
use sitewatch::store::checks::history::HistoryQuery;

use super::clock::Desk;
use super::config::{config, monitor};
use super::scene::{Weather, look};

/// Checks of a day.
const ROUNDS: u16 = 1440;

/// Each check, once a minute, sees three other addresses than the one before; `bad` of them answer 503.
fn rotating(round: u16, bad: u8, at: Timestamp) -> Check {
    let addresses = (0..3).map(|place| {
        let last = (round % 80) as u8 * 3 + place;
        let addr = SocketAddr::from(([192, 0, 2, last], 443));
        let weather = match place < bad {
            true => Weather::Down(503),
            false => Weather::Up,
        };
        address_check(addr, Some(look(weather, at)))
    });
    let addresses = addresses.collect();
    judged_by_addresses(look(Weather::Up, at), addresses, BadAddress::Degraded)
}

/// A day of such checks; `bad` says how many of a round's addresses are. Returns the kinds of the mails.
fn day(bad: impl Fn(u16) -> u8) -> Vec<String> {
    let mut desk = Desk::with(config(vec![monitor("a")]), 0);
    for round in 0..ROUNDS {
        desk.real += 60;
        let check = Box::new(rotating(round, bad(round), desk.now()));
        let monitor = MonitorId(1);
        desk.take(vec![Entry::Checked { monitor, check }], 60);
    }
    assert!(desk.incidents(true).is_empty());
    let reader = desk.reader();
    let mut seen = 0;
    reader
        .history(&HistoryQuery::default(), &mut |_, check, _| {
            let extras = check.extras.expect("addresses");
            seen += extras.addresses.expect("addresses").len();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, 3 * usize::from(ROUNDS));
    let mut rows = reader
        .outbox()
        .prepare("SELECT DISTINCT message_id, kind FROM outbox")
        .unwrap();
    let kinds = rows.query_map([], |row| row.get(1)).unwrap();
    kinds.map(Result::unwrap).collect()
}

#[test]
fn sets_that_rotate_for_a_day_are_nobodys_news() {
    assert_eq!(day(|_| 0), [""; 0]);
    // Nor is one that is bad and gone when it is looked at again.
    assert_eq!(day(|round| u8::from(round % 3 == 0)), [""; 0]);
    // As long as one of each set is bad, it is said once.
    assert_eq!(day(|round| u8::from(round >= 1200)), ["degraded"]);
}
