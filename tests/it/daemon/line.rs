//! Our own line: what the daemon could not see, also when it was killed meanwhile.

use super::{House, Mail, Site, monitor, text};

/// A daemon's house with a site that answers, one that is silent, and a canary that is silent too.
struct Offline {
    house: House,
    canary: Site,
    /// A host that answers ends the guard of the start, so that the canaries are asked.
    _good: Site,
    _silent: Site,
}

impl Offline {
    fn new() -> Self {
        let (good, silent) = (Site::start(200), Site::start(1));
        let canary = Site::start(0);
        let house = House::new("");
        let monitors = monitor("good", good.port) + &monitor("silent", silent.port);
        let connectivity = format!(
            "[connectivity]\ncanaries = [\"http://127.0.0.1:{}/\"]\n",
            canary.port
        );
        house.configure("100ms", &(monitors + &connectivity));
        Self {
            house,
            canary,
            _good: good,
            _silent: silent,
        }
    }
}

/// How many checks of the silent site are recorded with this state.
fn silent_ones(house: &House, state: &str) -> usize {
    let output = house.ask(&["history", "silent", "--json", "--state", state]);
    text(&output.stdout).lines().count()
}

fn blind_mails(house: &House) -> Vec<Mail> {
    let mut mails = house.mails();
    mails.retain(|mail| mail.subject.starts_with("[BLIND "));
    mails
}

/// The text of a mail in one line.
fn words(mail: &Mail) -> String {
    let words: Vec<&str> = mail.text.split_whitespace().collect();
    words.join(" ")
}

#[tokio::test]
async fn offline_is_unknown_and_told_once_afterwards() {
    let Offline { house, canary, .. } = &Offline::new();
    let _daemon = house.start().await;
    house
        .until("checks excused by the canary", || {
            silent_ones(house, "unknown") >= 4
        })
        .await;
    assert_eq!(silent_ones(house, "down"), 0);
    assert_eq!(house.subjects(), [] as [&str; 0]);

    canary.answers(200);
    house
        .until("the blind mail and the DOWN mail", || {
            house.mails().len() >= 2
        })
        .await;
    let subjects = house.subjects();
    assert!(subjects[0].starts_with("[BLIND "), "{subjects:?}");
    assert_eq!(subjects[1], "[DOWN timeout_response] silent");
}

#[tokio::test]
async fn a_blind_time_that_a_kill_cuts_is_told_once_with_its_true_start() {
    let Offline { house, canary, .. } = &Offline::new();
    let daemon = house.start().await;
    house
        .until("checks excused by the canary", || {
            silent_ones(house, "unknown") >= 2
        })
        .await;
    drop(daemon); // kill -9
    let before = silent_ones(house, "unknown");
    let history = house.ask(&["history", "silent", "--json", "--state", "unknown"]);
    let first: serde_json::Value =
        serde_json::from_str(text(&history.stdout).lines().last().unwrap()).unwrap();
    let began = first["at"].as_str().unwrap()[11..19].to_owned();

    let daemon = house.start().await;
    house
        .until("checks excused by the canary again", || {
            silent_ones(house, "unknown") >= before + 2
        })
        .await;
    assert!(house.mails().is_empty(), "{:?}", house.subjects());
    canary.answers(200);
    house
        .until("the blind mail", || !blind_mails(house).is_empty())
        .await;
    let told = words(&blind_mails(house)[0]);
    assert!(told.contains(&format!("{began} UTC")), "{began}: {told}");
    assert!(told.contains("sitewatch itself did not run from"), "{told}");
    assert!(told.contains("it was still offline then"), "{told}");
    assert!(told.contains("1 monitor: silent"), "{told}");
    drop(daemon); // kill -9

    // It is told: another process has nothing to add.
    let checked = silent_ones(house, "down");
    let _daemon = house.start().await;
    house
        .until("a failed check after the second kill", || {
            silent_ones(house, "down") > checked
        })
        .await;
    assert_eq!(blind_mails(house).len(), 1);
}

#[tokio::test]
async fn a_blind_time_that_ended_while_nobody_looked_is_told_as_such() {
    let Offline { house, canary, .. } = &Offline::new();
    let mut daemon = house.start().await;
    house
        .until("checks excused by the canary", || {
            silent_ones(house, "unknown") >= 1
        })
        .await;
    super::signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(super::exit_code(&mut daemon).await, Some(0));
    // It does not see again, it ends: there is nothing to tell yet.
    assert!(house.mails().is_empty(), "{:?}", house.subjects());

    canary.answers(200);
    let _daemon = house.start().await;
    house
        .until("the blind mail", || !blind_mails(house).is_empty())
        .await;
    let told = words(&blind_mails(house)[0]);
    assert!(told.contains("sitewatch itself did not run from"), "{told}");
    assert!(
        told.contains("the line came back at some moment in between"),
        "{told}"
    );
}
