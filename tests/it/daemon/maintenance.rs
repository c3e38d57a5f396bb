//! Maintenance by order: windows for a time, and windows that last as long as a command.

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{House, Site, monitor, text};

/// A process of the tests that ends with them.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_in_maintenance(house: &House) -> bool {
    let status = text(&house.ask(&["status", "shop", "--json"]).stdout);
    let status: Value = serde_json::from_str(&status).unwrap();
    let flags = status["flags"].as_array().unwrap();
    flags.iter().any(|flag| flag == "maintenance")
}

/// The command in a window of the shop.
fn wrapped(house: &House, script: &str) -> Command {
    house.command(&[
        "maintenance",
        "shop",
        "--for",
        "30m",
        "--",
        "/bin/sh",
        "-c",
        script,
    ])
}

async fn started(house: &House, script: &str) -> Running {
    let _ = fs::remove_file(house.path().join("pid"));
    let script = format!("echo $$ > pid.new; mv pid.new pid; {script}");
    let child = wrapped(house, &script)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    house
        .until("the command runs", || house.path().join("pid").exists())
        .await;
    Running(child)
}

/// Ends a command whose wrapper is gone.
fn end_command(house: &House) {
    let pid = fs::read_to_string(house.path().join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[tokio::test]
async fn what_is_down_when_a_window_ends_is_mailed_then() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let _daemon = house.start().await;
    house
        .until("it is checked", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
    let opened = house.ask(&["maintenance", "shop", "--for", "30m", "--note", "new disks"]);
    assert!(opened.status.success(), "{opened:?}");
    assert!(
        text(&opened.stdout).starts_with("shop is in maintenance until "),
        "{opened:?}"
    );
    site.answers(503);
    house
        .until("the incident", || house.open_incidents() == 1)
        .await;
    assert!(is_in_maintenance(&house));
    let incidents = text(&house.ask(&["incidents", "shop", "--json"]).stdout);
    assert!(incidents.contains("\"maintenance\":true"), "{incidents}");
    assert_eq!(house.subjects(), Vec::<String>::new());
    let ended = house.ask(&["maintenance", "--all", "--end"]);
    assert_eq!(text(&ended.stdout), "1 monitor out of maintenance\n");
    house
        .until("the DOWN mail", || house.subjects() == ["[DOWN 503] shop"])
        .await;
    let again = house.ask(&["maintenance", "shop", "--end"]);
    assert_eq!(
        text(&again.stdout),
        "shop: no window of `sitewatch maintenance` is open over it\n"
    );
    for (wrong, says) in [
        (&["maintenance", "shop"][..], "--for <TIME>"),
        (&["maintenance", "shop", "--for", "31d"], "at most 30d"),
        (
            &["maintenance", "shap", "--for", "1h"],
            "did you mean `shop`?",
        ),
    ] {
        let refused = house.ask(wrong);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(text(&refused.stderr).contains(says), "{refused:?}");
    }
}

#[tokio::test]
async fn the_status_of_the_command_is_passed_on() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let code = |arguments: &[&str]| {
        let output = house.ask(arguments);
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let run = [
        "maintenance",
        "shop",
        "--for",
        "30m",
        "--",
        "/bin/echo",
        "done",
    ];
    let (status, said, warned) = code(&run);
    assert_eq!((status, said.as_str()), (0, "done\n"));
    assert!(
        warned.starts_with("warning: no maintenance window: no daemon is running"),
        "{warned}"
    );
    let strict = [
        "maintenance",
        "shop",
        "--strict",
        "--for",
        "30m",
        "--",
        "/bin/echo",
    ];
    let (status, said, _) = code(&strict);
    assert_eq!((status, said.as_str()), (125, ""));

    let passed_on = |exit: i32| {
        let mut command = wrapped(&house, &format!("exit {exit}"));
        let status = command.stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(exit));
    };
    // A daemon that is away changes nothing of it.
    [0, 1, 3, 125, 255].into_iter().for_each(passed_on);
    let _daemon = house.start().await;
    // More windows in a second than one monitor has: those whose command exited give way.
    (0..=255).for_each(passed_on);
    // Those that end a shell without a core.
    for signal in [1, 2, 9, 10, 12, 13, 14, 15] {
        let status = wrapped(&house, &format!("kill -{signal} $$"))
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(128 + signal));
    }
    let named =
        |name: &str, command: &str| code(&["maintenance", name, "--for", "1h", "--", command]);
    assert_eq!(named("shop", "/nonexistent/deploy").0, 127);
    assert_eq!(named("shop", "/etc/passwd").0, 126);
    let (status, said, error) = named("shap", "/bin/pwd");
    assert_eq!((status, said.as_str()), (125, ""), "nothing ran: {error}");
    assert!(error.contains("did you mean `shop`?"), "{error}");
    assert_eq!(code(&["maintenance", "shop", "--", "/bin/pwd"]).0, 125);
    house
        .until("all windows end with a good check", || {
            !is_in_maintenance(&house)
        })
        .await;
}

/// Under `nohup` a deploy survives the end of the session, also in a window.
#[tokio::test]
async fn a_signal_that_is_ignored_stays_ignored() {
    let house = House::new(&monitor("shop", 1));
    let words = house.command(&["maintenance", "shop", "--for", "30m", "--"]);
    let script = "kill -HUP $PPID; kill -HUP $$; kill -INT $$; echo survived";
    let output = Command::new("/bin/sh")
        .args(["-c", "trap '' HUP INT; \"$@\"; exit $?", "sh"])
        .arg(words.get_program())
        .args(words.get_args())
        .args(["/bin/sh", "-c", script])
        .current_dir(house.path())
        .env_clear()
        .env("HOME", house.path())
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "survived\n", "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_window_lasts_as_long_as_its_command_and_no_longer_than_its_wrapper() {
    let site = Site::start(200);
    let house = House::new(&monitor("shop", site.port));
    let daemon = house.start().await;
    // A signal is passed on, and so is what comes of it.
    let mut deploy = started(&house, "trap 'exit 7' TERM; while :; do sleep 0.05; done").await;
    assert!(is_in_maintenance(&house));
    let pid = rustix::process::Pid::from_child(&deploy.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(deploy.0.wait().unwrap().code(), Some(7));
    house
        .until("the window ends", || !is_in_maintenance(&house))
        .await;

    // The daemon is killed and started again: the window stays, and ends with the command.
    let mut deploy = started(&house, "while [ ! -e done ]; do sleep 0.05; done; exit 3").await;
    drop(daemon);
    let daemon = house.start().await;
    site.answers(503);
    house
        .until("the incident", || house.open_incidents() == 1)
        .await;
    assert!(is_in_maintenance(&house));
    fs::write(house.path().join("done"), "").unwrap();
    assert_eq!(deploy.0.wait().unwrap().code(), Some(3));
    assert!(is_in_maintenance(&house), "it is down: no good check yet");
    site.answers(200);
    house
        .until("the window ends", || !is_in_maintenance(&house))
        .await;
    house
        .until("it is up", || house.open_incidents() == 0)
        .await;
    assert_eq!(house.subjects(), Vec::<String>::new());

    // Whoever runs the command is killed: the window ends at once.
    site.answers(503);
    let deploy = started(&house, "exec sleep 600").await;
    house
        .until("it is down", || house.open_incidents() == 1)
        .await;
    assert_eq!(house.subjects(), Vec::<String>::new());
    drop(deploy); // kill -9
    house
        .until("the DOWN mail", || house.subjects() == ["[DOWN 503] shop"])
        .await;
    assert!(!is_in_maintenance(&house));
    end_command(&house);
    drop(daemon);
}
