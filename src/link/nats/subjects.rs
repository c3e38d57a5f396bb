//! The names of subjects, streams and consumers, and who may use which.

use std::fmt::Write as _;

use crate::domain::location::{LocationName, ProbeName};

/// The stream of results.
pub(super) const RESULTS: &str = "SW_RESULTS";
/// All subjects of results.
pub(super) const ALL_RESULTS: &str = "sw.r.>";
/// What the subject of a probe's results begins with.
const RESULTS_OF: &str = "sw.r.";
/// The hub's consumer of results.
pub(super) const CONSUMER: &str = "hub";
/// The stream of monitor lists, and what its subjects begin with.
pub(super) const LISTS: &str = "KV_SWCFG";
pub(super) const ALL_LISTS: &str = "$KV.SWCFG.>";
/// The stream of receipts.
pub(super) const RECEIPTS: &str = "KV_SWDONE";
pub(super) const ALL_RECEIPTS: &str = "$KV.SWDONE.>";
/// The log of two hubs.
pub(super) const LOG: &str = "SW_HUBS";
pub(super) const LOG_SUBJECT: &str = "sw.log";
/// Where a hub that follows asks for a copy of the database.
pub(super) const COPY: &str = "sw.copy";
/// Where signs of life come.
pub(super) const ALL_HI: &str = "sw.hi.*";

/// Where a probe's results go.
pub(super) fn results(sender: &ProbeName) -> String {
    format!("{RESULTS_OF}{}", sender.subject())
}

/// Whose results a subject has.
pub(super) fn sender_of(subject: &str) -> Option<ProbeName> {
    ProbeName::of_subject(subject.strip_prefix(RESULTS_OF)?)
}

/// Where a location says that it is there.
pub(super) fn hi(location: &LocationName) -> String {
    format!("sw.hi.{location}")
}

/// Where a location is asked for checks.
pub(super) fn ask(location: &LocationName) -> String {
    format!("sw.ask.{location}")
}

/// Where a location hears news.
pub(super) fn told(location: &LocationName) -> String {
    format!("sw.cfg.{location}")
}

/// Where what a location's list is stands.
pub(super) fn list_head(location: &LocationName) -> String {
    format!("$KV.SWCFG.{location}.head")
}

/// Where a piece of a location's list stands.
pub(super) fn list_piece(location: &LocationName, index: usize) -> String {
    format!("$KV.SWCFG.{location}.{index}")
}

/// Where a probe's receipt stands.
pub(super) fn receipt(sender: &ProbeName) -> String {
    format!("$KV.SWDONE.{}", sender.subject())
}

/// Where the newest message of a subject of a stream is asked for.
pub(super) fn direct_get(stream: &str, subject: &str) -> String {
    format!("$JS.API.DIRECT.GET.{stream}.{subject}")
}

/// What the answers to a location's questions come to; `None` for the hub.
pub(super) fn inbox(location: Option<&LocationName>) -> String {
    match location {
        Some(location) => format!("_INBOX_{location}"),
        None => "_INBOX_hub".to_owned(),
    }
}

/// What a user may publish to and subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Subjects to publish to.
    pub publish: Vec<String>,
    /// Subjects to subscribe to.
    pub subscribe: Vec<String>,
}

/// The permissions of a location's user; of the hub's for `None`.
pub fn permissions(location: Option<&LocationName>) -> Permissions {
    let inbox = format!("{}.>", inbox(location));
    let Some(location) = location else {
        return Permissions {
            publish: [
                "sw.ask.*",
                "sw.cfg.*",
                LOG_SUBJECT,
                COPY,
                "_INBOX_hub.>",
                "$JS.API.>",
                "$JS.ACK.>",
                ALL_LISTS,
                ALL_RECEIPTS,
            ]
            .map(str::to_owned)
            .to_vec(),
            subscribe: vec![ALL_HI.to_owned(), COPY.to_owned(), inbox],
        };
    };
    // Of the probe that has the location alone, and of those that share it.
    let whole = ProbeName::whole(location.clone());
    Permissions {
        publish: vec![
            results(&whole),
            format!("{}.*", results(&whole)),
            hi(location),
            direct_get(LISTS, &format!("$KV.SWCFG.{location}.>")),
            direct_get(RECEIPTS, &receipt(&whole)),
            direct_get(RECEIPTS, &format!("{}.*", receipt(&whole))),
        ],
        subscribe: vec![ask(location), told(location), inbox],
    }
}

impl Permissions {
    /// A user in the form of nats-server's configuration, to be put into `authorization { users = [ .. ] }`.
    pub fn user_block(&self, public_key: &str) -> String {
        let mut out = format!("{{\n  nkey: {public_key}\n  permissions: {{\n");
        for (what, subjects) in [("publish", &self.publish), ("subscribe", &self.subscribe)] {
            let _ = writeln!(out, "    {what}: [");
            for subject in subjects {
                let _ = writeln!(out, "      \"{subject}\"");
            }
            out.push_str("    ]\n");
        }
        out.push_str("  }\n}\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_may_speak_for_itself_only() {
        let nyc = LocationName::parse("nyc").unwrap();
        let Permissions { publish, subscribe } = permissions(Some(&nyc));
        assert_eq!(
            publish,
            [
                "sw.r.nyc",
                "sw.r.nyc.*",
                "sw.hi.nyc",
                "$JS.API.DIRECT.GET.KV_SWCFG.$KV.SWCFG.nyc.>",
                "$JS.API.DIRECT.GET.KV_SWDONE.$KV.SWDONE.nyc",
                "$JS.API.DIRECT.GET.KV_SWDONE.$KV.SWDONE.nyc.*",
            ]
        );
        assert_eq!(subscribe, ["sw.ask.nyc", "sw.cfg.nyc", "_INBOX_nyc.>"]);
    }

    #[test]
    fn the_results_of_a_share_have_a_subject_of_their_own() {
        let part = ProbeName::of_subject("nyc.2-4").unwrap();
        assert_eq!(results(&part), "sw.r.nyc.2-4");
        assert_eq!(receipt(&part), "$KV.SWDONE.nyc.2-4");
        assert_eq!(sender_of("sw.r.nyc.2-4"), Some(part));
        for other in ["sw.r.nyc.2-4.x", "sw.r.", "sw.hi.nyc", "nyc"] {
            assert_eq!(sender_of(other), None, "{other}");
        }
    }
}
