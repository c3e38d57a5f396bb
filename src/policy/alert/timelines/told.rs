//! Who is told what, and what is held back.

use super::scene::check;

#[test]
fn reminders_grow_rarer_and_rest_after_an_ack() {
    check(
        "confirm=1 reminder=10m; D +75m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail STILL DOWN 10m, next 30:00
         30:00 mail STILL DOWN 30m, next 1:10:00
         1:10:00 mail STILL DOWN 1h 10m, next 2:30:00
         1:15:10 closed 1:15:00, 1 failed
         1:15:10 mail UP after 1h 15m",
    );
    check(
        "confirm=1 reminder=20h; D +48h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         20:00:00 mail STILL DOWN 20h, next 44:00:00
         44:00:00 mail STILL DOWN 1d 20h, next 68:00:00",
    );
    check(
        "confirm=1 reminder=10m; D ack +60m shown U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         1:00:00 down since 00:00 (status) +acked
         1:00:10 closed 1:00:00, 1 failed
         1:00:10 mail UP after 1h",
    );
    check(
        "confirm=1 reminder=10m; D ack=15m +16m",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         15:00 mail STILL DOWN 15m, next 35:00",
    );
    check(
        "; U ack",
        "00:00 refused: it is not down, there is nothing to acknowledge",
    );
}

#[test]
fn an_outage_is_raised_once_nothing_holds_its_down() {
    check(
        "confirm=2 level; U D D +5m",
        "01:10 opened 01:00
         01:10 raised
         01:10 mail DOWN 503, 2 failed, good 00:00",
    );
    check(
        "confirm=1 level; mute=5m D +10m",
        "00:00 opened 00:00
         05:00 raised
         05:00 mail DOWN 503, 1 failed, held by mute",
    );
    check(
        "confirm=1 recover=1 level; window( D U )window +1m",
        "00:00 opened 00:00
         01:00 closed 01:00, 1 failed, maintenance",
    );
    // What begins to hold later does not take it back.
    check(
        "confirm=1 recover=1 level; D mute=5m D U",
        "00:00 opened 00:00
         00:00 raised
         00:00 mail DOWN 503, 1 failed
         02:00 closed 02:00, 2 failed
         02:00 mail UP after 2m",
    );
    // Flapping holds the DOWN, not what shows incidents.
    check(
        "confirm=1 recover=1 flapping=3/1h level; U D U D +5m",
        "01:00 opened 01:00
         01:00 raised
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         03:00 opened 03:00
         03:00 raised
         03:00 mail FLAPPING 3
         03:00 mail DOWN 503, 1 failed, good 02:00, to services",
    );
}

/// A service that holds incidents is told of each begin and each end, so that what it opened is closed.
#[test]
fn services_that_hold_incidents_are_told_of_each_while_it_flaps() {
    check(
        "confirm=1 recover=1 flapping=3/1h level; U D U D U D +12m U +31m U",
        "01:00 opened 01:00
         01:00 raised
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         03:00 opened 03:00
         03:00 raised
         03:00 mail FLAPPING 3
         03:00 mail DOWN 503, 1 failed, good 02:00, to services
         04:00 closed 04:00, 1 failed
         04:00 mail UP after 1m, to services
         05:00 opened 05:00
         05:00 raised
         05:00 mail DOWN 503, 1 failed, good 04:00, to services
         15:00 mail DOWN 503, 1 failed, good 04:00, held by flapping
         17:00 closed 17:00, 1 failed
         17:00 mail UP after 12m, to services
         48:00 mail UP after 12m",
    );
}

#[test]
fn recoveries_can_be_switched_off() {
    check(
        "confirm=1 recover=1 no-recovery; D U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         01:00 closed 01:00, 1 failed
         01:00 mail UP after 1m, untold only",
    );
    // Services that hold incidents get it all the same: nothing else closes what its DOWN opened.
    check(
        "confirm=1 recover=1 no-recovery level; D U",
        "00:00 opened 00:00
         00:00 raised
         00:00 mail DOWN 503, 1 failed
         01:00 closed 01:00, 1 failed
         01:00 mail UP after 1m, untold only
         01:00 mail UP after 1m, to services",
    );
}

#[test]
fn a_monitor_that_goes_while_down_goes_without_a_word() {
    for (event, ending) in [("gone", "removed"), ("pause", "paused")] {
        check(
            &format!("confirm=1; D D {event} shown"),
            &format!(
                "00:00 opened 00:00
                 00:00 mail DOWN 503, 1 failed
                 01:00 closed 01:00, 2 failed, {ending}
                 01:00 waiting mails dropped
                 01:00 pending since 01:00{}",
                if event == "pause" { " +paused" } else { "" }
            ),
        );
    }
    check(
        "confirm=1; U pause pause D shown resume resume U shown",
        "00:00 refused: it is paused already
         01:00 pending since 00:00 +paused
         01:00 refused: it is not paused
         02:00 up since 02:00",
    );
}

#[test]
fn a_mute_holds_mails_and_not_incidents() {
    check(
        "confirm=1; U mute=10m D shown +10m shown",
        "01:00 opened 01:00
         01:00 down since 01:00 (status) +muted
         10:00 mail DOWN 503, 1 failed, good 00:00, held by mute
         11:00 down since 01:00 (status)",
    );
    check(
        "confirm=1; U mute=10m D U U +10m",
        "01:00 opened 01:00
         02:10 closed 02:00, 1 failed",
    );
    // Who was told before gets the UP also inside the mute.
    check(
        "confirm=1 reminder=5m; D mute=10m +6m U U +10m unmute",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         06:10 closed 06:00, 1 failed
         06:10 mail UP after 6m
         16:10 refused: it is not muted",
    );
    check(
        "confirm=1 reminder=5m; D mute=10m +30s unmute +5m",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         05:00 mail STILL DOWN 5m, next 15:00",
    );
    check(
        "confirm=1 reminder=5m; D mute=10m +12m",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail STILL DOWN 10m, next 20:00",
    );
}

#[test]
fn an_ordered_window_ends_in_time_by_order_with_its_command_or_without_it() {
    check(
        "confirm=1; U maintain=5m D +10m",
        "00:00 window 00:00 to 05:00
         01:00 opened 01:00
         05:00 mail DOWN 503, 1 failed, good 00:00, held by maintenance",
    );
    check(
        "confirm=1; U maintain=5m D end end",
        "00:00 window 00:00 to 05:00
         01:00 opened 01:00
         01:00 window 00:00 to 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00, held by maintenance
         01:00 refused: no window of `sitewatch maintenance` is open over it",
    );
    // A deploy: the site is down while it runs, and good soon after.
    check(
        "confirm=1; U run=30m D ran U U D",
        "00:00 window 00:00 to 30:00
         01:00 opened 01:00
         02:00 window 00:00 to 02:00
         02:10 closed 02:00, 1 failed, maintenance
         03:00 opened 03:00
         03:00 mail DOWN 503, 1 failed, good 02:10",
    );
    // A good check while it runs ends nothing; a bad one after it neither, until the last moment.
    check(
        "confirm=1 recover=1; U run=5m U D ran D D +10m",
        "00:00 window 00:00 to 05:00
         02:00 opened 02:00
         05:00 mail DOWN 503, 3 failed, good 01:00, held by maintenance",
    );
    check(
        "confirm=1; U run=30m D lost",
        "00:00 window 00:00 to 30:00
         01:00 opened 01:00
         01:00 window 00:00 to 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00, held by maintenance",
    );
    // A window whose command exited cannot be lost any more.
    check(
        "confirm=1; U run=30m ran lost shown",
        "00:00 window 00:00 to 30:00
         00:00 refused: no window of `sitewatch maintenance` is open over it
         00:00 up since 00:00 +maintenance",
    );
}

/// Sixteen are kept, but each attempt to mend a site that stays down gets its own.
#[test]
fn a_window_whose_command_exited_gives_way_to_a_seventeenth() {
    let windows = "00:00 window 00:00 to 1:00:00\n".repeat(16);
    check(
        &format!("confirm=1; D {} run=1h", "run=1h ran ".repeat(16)),
        &format!(
            "00:00 opened 00:00
             00:00 mail DOWN 503, 1 failed
             {windows}00:00 window 00:00 to 00:00
             00:00 window 00:00 to 1:00:00"
        ),
    );
    let refused =
        "00:00 refused: it has 16 windows already; `sitewatch maintenance NAME --end` ends them";
    check(
        &format!("confirm=1; D {} run=1h maintain=2h", "run=1h ".repeat(16)),
        &format!(
            "00:00 opened 00:00
             00:00 mail DOWN 503, 1 failed
             {windows}{refused}
             {refused}"
        ),
    );
}

#[test]
fn a_window_on_what_is_down_already_rests_reminders_and_marks_nothing() {
    check(
        "confirm=1 reminder=5m; D maintain=6m +10m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         00:00 window 00:00 to 06:00
         06:00 mail STILL DOWN 6m, next 16:00
         10:10 closed 10:00, 1 failed
         10:10 mail UP after 10m",
    );
    check(
        "confirm=1; D maintain=1h U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         00:00 window 00:00 to 1:00:00
         01:10 closed 01:00, 1 failed
         01:10 mail UP after 1m",
    );
}

#[test]
fn in_maintenance_nothing_is_mailed_and_what_is_still_down_at_its_end_is() {
    check(
        "confirm=1; U window( D shown D )window shown",
        "01:00 opened 01:00
         01:00 down since 01:00 (status) +maintenance
         02:00 mail DOWN 503, 2 failed, good 00:00, held by maintenance
         02:00 down since 01:00 (status)",
    );
    check(
        "confirm=1; U window( D U U )window U",
        "01:00 opened 01:00
         02:10 closed 02:00, 1 failed, maintenance",
    );
    // A recovery that is being confirmed at the end may still fail.
    check(
        "confirm=1; U window( D U )window U",
        "01:00 opened 01:00
         02:10 closed 02:00, 1 failed, maintenance",
    );
    check(
        "confirm=1; U window( D U )window D",
        "01:00 opened 01:00
         02:10 mail DOWN 503, 2 failed, good 00:00, held by maintenance",
    );
    // Down before: the incident is marked, no reminder inside, the UP goes out.
    check(
        "confirm=1 reminder=5m; D window( +6m U U )window",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         06:10 closed 06:00, 1 failed
         06:10 mail UP after 6m",
    );
    check(
        "slow; U window( S*5 )window S",
        "05:00 mail DEGRADED slow 3 since 01:00",
    );
}

#[test]
fn while_we_are_offline_alerts_are_held() {
    check(
        "confirm=1; U offline( R +5m )offline",
        "01:00 opened 01:00
         06:00 mail DOWN connect_refused, 1 failed, good 00:00, held by offline",
    );
}

#[test]
fn while_a_parent_fails_its_children_are_silent() {
    check(
        "confirm=2; U parent=up D D",
        "01:00 parents due
         01:10 opened 01:00
         01:10 mail DOWN 503, 2 failed, good 00:00",
    );
    check(
        "confirm=2; U parent=failing D D shown D parent=recovered D D",
        "01:00 parents due
         01:10 opened 01:00
         01:10 down since 01:00 (status) +parent_down
         02:20 mail DOWN 503, 5 failed, good 00:00, held by parent",
    );
    check(
        "confirm=2; U parent=failing D D parent=recovered D U U",
        "01:00 parents due
         01:10 opened 01:00
         01:40 closed 01:30, 3 failed",
    );
    check(
        "; U parent=failing D D parent=recovered D D U",
        "01:00 parents due\n01:20 parents due",
    );
    // The parent is not checked: after a minute it is no longer waited for.
    check(
        "confirm=1; U parent=stale D +2m",
        "01:00 parents due
         01:00 opened 01:00
         02:00 mail DOWN 503, 1 failed, good 00:00, held by parent",
    );
    // Told before the parent failed: no reminder, but the UP.
    check(
        "confirm=1 reminder=5m; D parent=failing +6m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         06:10 closed 06:00, 1 failed
         06:10 mail UP after 6m",
    );
}

#[test]
fn flapping_is_one_mail_and_one_at_its_end() {
    check(
        "confirm=1 recover=1 flapping=4/2h; U D U D U shown D U D U*31 shown",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         03:00 opened 03:00
         03:00 mail DOWN 503, 1 failed, good 02:00
         04:00 closed 04:00, 1 failed
         04:00 mail FLAPPING 4
         04:00 up since 04:00 +flapping
         05:00 opened 05:00
         06:00 closed 06:00, 1 failed
         07:00 opened 07:00
         08:00 closed 08:00, 1 failed
         38:00 mail UP after 5m
         38:00 up since 08:00",
    );
    // Ten minutes of down are one DOWN.
    check(
        "confirm=1 recover=1 flapping=2/2h; U D U D +12m U U U +26m U*3",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail FLAPPING 2
         03:00 opened 03:00
         13:00 mail DOWN 503, 1 failed, good 02:00, held by flapping
         15:00 closed 15:00, 1 failed
         45:00 mail UP after 12m",
    );
    // The change that makes it flapping is a failure: the mail about it stands for the DOWN.
    check(
        "confirm=1 recover=1 flapping=3/2h; U D U D U*31",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         03:00 opened 03:00
         03:00 mail FLAPPING 3
         04:00 closed 04:00, 1 failed
         34:00 mail UP after 1m",
    );
    // Told after a mute, its end is told as well; where nothing was told, there is nothing to end.
    check(
        "confirm=1 recover=1 flapping=2/2h; U mute=10m D U +10m U*31",
        "01:00 opened 01:00
         02:00 closed 02:00, 1 failed
         10:00 mail FLAPPING 2
         32:00 mail UP after 1m",
    );
    check(
        "confirm=1 recover=1 flapping=2/2h; U mute=2h D U U*31 shown",
        "01:00 opened 01:00
         02:00 closed 02:00, 1 failed
         33:00 up since 02:00 +muted",
    );
    // Changes far apart are none, nor are those of planned work.
    check(
        "confirm=1 recover=1 flapping=3/10m; U D U +11m D U",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         02:00 closed 02:00, 1 failed
         02:00 mail UP after 1m
         13:00 opened 13:00
         13:00 mail DOWN 503, 1 failed, good 02:00
         14:00 closed 14:00, 1 failed
         14:00 mail UP after 1m",
    );
    check(
        "confirm=1 recover=1 flapping=3/2h; U window( D U D U )window D shown",
        "01:00 opened 01:00
         02:00 closed 02:00, 1 failed, maintenance
         03:00 opened 03:00
         04:00 closed 04:00, 1 failed, maintenance
         05:00 opened 05:00
         05:00 mail DOWN 503, 1 failed, good 04:00
         05:00 down since 05:00 (status)",
    );
}

#[test]
fn an_outage_that_lasts_is_escalated() {
    check(
        "confirm=1 escalate=10m/boss escalate=30m/boss,cto; D +75m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail ESCALATED 10m to boss
         30:00 mail ESCALATED 30m to boss cto
         1:15:10 closed 1:15:00, 1 failed
         1:15:10 mail UP after 1h 15m",
    );
    // Counted from its beginning, not from its DOWN; several steps of one moment are one message.
    check(
        "escalate=2m/boss escalate=2m/cto; D D D +5m",
        "00:20 opened 00:00
         00:20 mail DOWN 503, 3 failed
         02:00 mail ESCALATED 2m to boss cto",
    );
    check(
        "confirm=1 escalate=10m/boss; D +5m U U +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         05:10 closed 05:00, 1 failed
         05:10 mail UP after 5m",
    );
    // Beside reminders: the outbox leaves out what says the same to the same.
    check(
        "confirm=1 reminder=10m escalate=10m/ops; D +11m",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail STILL DOWN 10m, next 30:00
         10:00 mail ESCALATED 10m to ops",
    );
}

#[test]
fn an_acknowledgement_stops_the_steps_and_its_end_lets_them_go_on() {
    check(
        "confirm=1 escalate=10m/boss; D ack +2h U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         2:00:10 closed 2:00:00, 1 failed
         2:00:10 mail UP after 2h",
    );
    check(
        "confirm=1 escalate=10m/boss; D +9m ack=15m +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         24:00 mail ESCALATED 10m to boss",
    );
    // What has not left stops too, and is told at the end of the acknowledgement.
    check(
        "confirm=1 escalate=10m/boss escalate=30m/cto; D +10m ack=15m +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail ESCALATED 10m to boss
         10:00 waiting escalations dropped
         25:00 mail ESCALATED 10m, again to boss
         30:00 mail ESCALATED 30m to cto",
    );
    check(
        "confirm=1 escalate=10m/boss escalate=30m/cto; D +10m ack=25m +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         10:00 mail ESCALATED 10m to boss
         10:00 waiting escalations dropped
         35:00 mail ESCALATED 30m to cto, again to boss",
    );
}

#[test]
fn what_holds_a_down_holds_its_steps() {
    check(
        "confirm=1 escalate=10m/boss; U window( D +20m )window +5m",
        "01:00 opened 01:00
         21:00 mail DOWN 503, 1 failed, good 00:00, held by maintenance
         21:00 mail ESCALATED 10m to boss",
    );
    check(
        "confirm=1 escalate=10m/boss; U D mute=30m +1h",
        "01:00 opened 01:00
         01:00 mail DOWN 503, 1 failed, good 00:00
         31:00 mail ESCALATED 10m to boss",
    );
    check(
        "confirm=1 escalate=10m/boss; U mute=30m D U U +1h",
        "01:00 opened 01:00
         02:10 closed 02:00, 1 failed",
    );
    // A DOWN that nobody is told of does not escalate.
    check(
        "confirm=1 nobody escalate=10m/boss; D +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed",
    );
    check(
        "confirm=1 escalate=10m/boss; D pause +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         00:00 closed 00:00, 1 failed, paused
         00:00 waiting mails dropped",
    );
}

#[test]
fn missed_steps_are_one_message_of_the_last_of_them() {
    // A rule that is new: it is due at once, also where it is older than what was told.
    check(
        "confirm=1 escalate=30m/boss; D +40m escalate=10m/boss,cto escalate=20m/cto +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         30:00 mail ESCALATED 30m to boss
         40:00 mail ESCALATED 10m to cto
         40:00 mail ESCALATED 20m to cto",
    );
    // A daemon that did not run, or anything else that held them.
    check(
        "confirm=1 escalate=10m/boss escalate=20m/cto escalate=2h/ceo; D offline( +40m )offline +1h",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         40:00 mail ESCALATED 20m to boss cto",
    );
}
