//! When a monitor is what.

use super::scene::check;

#[test]
fn a_bad_address_is_looked_at_again_until_it_is_confirmed() {
    // The second and third look come 10 s after the one before, then the grid goes on.
    check(
        "; U N N N N",
        "01:20 mail DEGRADED address_down 3 since 01:00",
    );
    check("; U N N U U", "");
    check("record; U N N N N", "");
    // It is told once, and again only after it was good for as long as ends an outage.
    check(
        "confirm=1; N U N U U N",
        "00:00 mail DEGRADED address_down 1 since 00:00
         05:00 mail DEGRADED address_down 1 since 05:00",
    );
}

#[test]
fn a_version_that_fails_is_told_as_an_address_is_and_apart_from_it() {
    check(
        "; U V V V V V V",
        "01:20 mail DEGRADED http_version 3 since 01:00",
    );
    check("; U V V U V V U", "");
    check("record; U V V V V", "");
    // Our own UDP blocked is unknown: it neither counts nor ends anything.
    check(
        "; U V X V V",
        "01:30 mail DEGRADED http_version 3 since 01:00",
    );
    check(
        "confirm=1; V U V X U X U V",
        "00:00 mail DEGRADED http_version 1 since 00:00
         07:00 mail DEGRADED http_version 1 since 07:00",
    );
    // An address that goes bad meanwhile is another spell, and is confirmed by itself.
    check(
        "; U V V N N N",
        "01:40 mail DEGRADED address_down 3 since 01:20",
    );
    // While it lasts the site may go down, and what is left of it afterwards is not told once more.
    check(
        "; U V V V D D D U U V",
        "01:20 mail DEGRADED http_version 3 since 01:00
         02:20 opened 02:00
         02:20 mail DOWN 503, 3 failed, good 01:20
         03:10 closed 03:00, 3 failed
         03:10 mail UP after 1m",
    );
    // Within a window it is not told; when it ends and it goes on, it is.
    check(
        "; U window( V*5 )window V",
        "03:00 mail DEGRADED http_version 3 since 01:00",
    );
}

#[test]
fn a_failure_is_confirmed_and_so_is_a_recovery() {
    check("; U U U", "");
    check("; U D D U", "");
    check(
        "; U D D D D U U",
        "01:20 opened 01:00
         01:20 mail DOWN 503, 3 failed, good 00:00
         03:10 closed 03:00, 4 failed
         03:10 mail UP after 2m",
    );
}

#[test]
fn the_first_verdict_counts_too() {
    check(
        "confirm=2; shown D shown D shown",
        "00:00 pending since 00:00
         00:00 pending since 00:00
         00:10 opened 00:00
         00:10 mail DOWN 503, 2 failed
         00:10 down since 00:00 (status)",
    );
    check("; D U shown", "00:10 up since 00:10");
    check(
        "confirm=1; D",
        "00:00 opened 00:00\n00:00 mail DOWN 503, 1 failed",
    );
}

#[test]
fn what_is_confirmed_is_shown_as_before() {
    check(
        "; U D D shown D U shown U shown",
        "01:10 up since 00:00
         01:20 opened 01:00
         01:20 mail DOWN 503, 3 failed, good 00:00
         02:00 down since 01:00 (status)
         02:10 closed 02:00, 3 failed
         02:10 mail UP after 1m
         02:10 up since 02:00",
    );
}

#[test]
fn a_recovery_that_fails_is_none() {
    check(
        "confirm=1 recover=3; D U U D U S U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         02:20 closed 02:00, 2 failed
         02:20 mail UP after 2m",
    );
}

#[test]
fn the_cause_is_that_of_the_first_failed_check() {
    check(
        "confirm=2; R D404 D U U",
        "00:10 opened 00:00
         00:10 mail DOWN connect_refused, 2 failed
         02:10 closed 02:00, 3 failed
         02:10 mail UP after 2m",
    );
}

#[test]
fn unknown_neither_counts_nor_resets() {
    check(
        "; U D X D X D",
        "01:40 opened 01:00
         01:40 mail DOWN 503, 3 failed, good 00:00",
    );
    check(
        "; U X shown U shown X*3 D shown",
        "01:00 unknown since 01:00 (local)
         02:00 up since 02:00
         06:00 up since 06:00",
    );
    check(
        "confirm=1; D X shown U X U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         01:00 down since 00:00 (status)
         02:20 closed 02:00, 1 failed
         02:20 mail UP after 2m",
    );
}

#[test]
fn a_gap_resets_the_counting_but_never_down() {
    // Two intervals and a timeout are 130 s.
    check(
        "; U D D +1m D",
        "03:00 opened 01:00\n03:00 mail DOWN 503, 3 failed, good 00:00",
    );
    check("; U D D +130s D D", "");
    check(
        "; U D D +131s D D D",
        "04:20 opened 04:00
         04:20 mail DOWN 503, 3 failed, good 00:00",
    );
    check(
        "confirm=1; D U +10m U U",
        "00:00 opened 00:00
         00:00 mail DOWN 503, 1 failed
         11:10 closed 11:00, 1 failed
         11:10 mail UP after 11m",
    );
    check(
        "confirm=1; D +1h D shown",
        "00:00 opened 00:00\n00:00 mail DOWN 503, 1 failed\n1:00:00 down since 00:00 (status)",
    );
}

#[test]
fn retry_after_of_a_429_stretches_the_wait() {
    check(
        "confirm=3; D429/25 D429/3600 D",
        "01:25 opened 00:00
         01:25 mail DOWN 429, 3 failed",
    );
    check(
        "confirm=2; D503/25 D",
        "00:10 opened 00:00\n00:10 mail DOWN 503, 2 failed",
    );
}

#[test]
fn slowness_is_degraded_and_mailed_where_wanted() {
    check(
        "; U S S S S shown U shown",
        "04:00 degraded since 01:00 (slow)\n05:00 up since 05:00",
    );
    check(
        "slow; U S S S S U S S S S U U S S S",
        "03:00 mail DEGRADED slow 3 since 01:00
         14:00 mail DEGRADED slow 3 since 12:00",
    );
    check("slow; U S S U S S D U S S U", "");
    // Slowness during an outage is not news; after it, it is.
    check(
        "slow confirm=2; D D S S S S",
        "00:10 opened 00:00
         00:10 mail DOWN 503, 2 failed
         01:10 closed 01:00, 2 failed
         01:10 mail UP after 1m
         02:00 mail DEGRADED slow 2 since 01:10",
    );
}

#[test]
fn five_of_twenty_without_an_incident_are_intermittent() {
    check(
        "; U D U D U D U D U shown D U shown U*18 shown U shown",
        "04:10 up since 00:00
         05:10 mail DEGRADED intermittent 5 since 05:10
         05:10 degraded since 05:10 (intermittent)
         23:00 degraded since 05:10 (intermittent)
         24:00 up since 24:00",
    );
    // Twenty checks later the first failures are forgotten.
    check("; U D U D U D U D U*17 D U", "");
    // An incident takes over, and after it counting starts anew.
    check(
        "; U D U D U D U D U D D D U U D U D U D U D U shown",
        "05:20 opened 05:00
         05:20 mail DOWN 503, 3 failed, good 04:10
         06:10 closed 06:00, 3 failed
         06:10 mail UP after 1m
         10:10 up since 06:00",
    );
}

#[test]
fn certificates_are_told_once_per_step() {
    check(
        "; C30 C21 C20 C8 C7 C7 C1 C1",
        "01:00 mail DEGRADED certificate_expiring 21d
         04:00 mail DEGRADED certificate_expiring 7d
         06:00 mail DEGRADED certificate_expiring 1d",
    );
    // A site that answers 503 shows its certificate all the same.
    check(
        "confirm=2; C30 K20 K20 K6",
        "01:00 mail DEGRADED certificate_expiring 21d
         01:10 opened 01:00
         01:10 mail DOWN 503, 2 failed, good 00:00
         02:00 mail DEGRADED certificate_expiring 7d",
    );
    // Steps passed at once give one mail; a new certificate starts anew, the old one stays known.
    check(
        "; C5 C5new C5 C5new C60new C5",
        "00:00 mail DEGRADED certificate_expiring 7d
         01:00 mail DEGRADED certificate_expiring 7d",
    );
    check(
        "; window( C5 )window C5 C5",
        "01:00 mail DEGRADED certificate_expiring 7d",
    );
    check(
        "; C5 moved C5",
        "00:00 mail DEGRADED certificate_expiring 7d\n01:00 mail DEGRADED certificate_expiring 7d",
    );
}

#[test]
fn another_way_is_told_when_it_came_often_enough() {
    check("; A B B B", "");
    check(
        "drift; A A?x=1 A#y B B B B A A A",
        "05:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/",
    );
    check("drift; A B B A B B A", "");
    // The last five known ones are no news, the sixth pushes the oldest out.
    check(
        "drift confirm=1; A B E F G A H A B",
        "01:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/
         02:00 mail REDIRECT CHANGED https://B.example.com/ to https://E.example.com/
         03:00 mail REDIRECT CHANGED https://E.example.com/ to https://F.example.com/
         04:00 mail REDIRECT CHANGED https://F.example.com/ to https://G.example.com/
         06:00 mail REDIRECT CHANGED https://A.example.com/ to https://H.example.com/
         08:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/",
    );
    check(
        "drift confirm=2; A window( B B B )window B",
        "04:00 mail REDIRECT CHANGED https://A.example.com/ to https://B.example.com/",
    );
    check("drift; A moved B B B B", "");
    check("drift confirm=3; A B B . . . B D B B", "");
}
