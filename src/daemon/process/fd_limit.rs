//! Descriptors: a check that finds none would say `unknown` for a fault that can be seen beforehand.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A check holds at most this many: two addresses tried side by side, and its DNS query.
const PER_CHECK: u64 = 3;

/// Database, sockets, journal, pages, mail: what the daemon needs besides.
const BESIDES: u64 = 128;

/// With fewer no check finds one and the control socket answers nobody: such a daemon only seems to run.
const LEAST: u64 = 32;

/// How many checks there can be at once, and what to tell about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// At most `max_concurrent_checks`.
    pub slots: u32,
    /// Why they are fewer.
    pub warning: Option<String>,
}

/// Makes room for so many checks at once, as far as the system lets us.
pub fn make_room(wanted: u32) -> Room {
    let limit = getrlimit(Resource::Nofile);
    let needed = needed_for(wanted);
    if limit.current.is_none_or(|soft| soft >= needed) {
        return room(wanted, None);
    }
    let raised = Rlimit {
        current: Some(limit.maximum.map_or(needed, |hard| hard.min(needed))),
        maximum: limit.maximum,
    };
    // A sandbox may forbid it; what is left is what counts.
    let _ = setrlimit(Resource::Nofile, raised);
    room(wanted, getrlimit(Resource::Nofile).current)
}

/// How many open files the system allows where that is too few to run at all.
pub fn too_few() -> Option<u64> {
    getrlimit(Resource::Nofile)
        .maximum
        .filter(|hard| *hard < LEAST)
}

fn needed_for(slots: u32) -> u64 {
    u64::from(slots) * PER_CHECK + BESIDES
}

fn room(wanted: u32, descriptors: Option<u64>) -> Room {
    let needed = needed_for(wanted);
    let Some(have) = descriptors.filter(|have| *have < needed) else {
        return Room {
            slots: wanted,
            warning: None,
        };
    };
    let slots = have.saturating_sub(BESIDES) / PER_CHECK;
    let slots = u32::try_from(slots).unwrap_or(wanted).clamp(1, wanted);
    Room {
        slots,
        warning: Some(format!(
            "max_concurrent_checks = {wanted} needs {needed} open files and the limit is {have}: \
             at most {slots} checks run at once; raise it (LimitNOFILE= of the unit, `ulimit -n`) \
             or lower max_concurrent_checks"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_descriptors_are_fewer_slots_and_a_sentence() {
        assert_eq!(room(512, None).slots, 512);
        assert_eq!(room(512, Some(1664)).warning, None);
        let tight = room(512, Some(1024));
        assert_eq!(tight.slots, 298);
        assert_eq!(
            tight.warning.unwrap(),
            "max_concurrent_checks = 512 needs 1664 open files and the limit is 1024: at most 298 \
             checks run at once; raise it (LimitNOFILE= of the unit, `ulimit -n`) or lower \
             max_concurrent_checks"
        );
        assert_eq!(room(512, Some(10)).slots, 1);
    }

    #[test]
    fn the_default_fits_on_this_machine() {
        assert!(make_room(16).warning.is_none());
    }
}
