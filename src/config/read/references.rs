//! What monitors and windows say of each other: names that must be unique, known and free of cycles.

use std::collections::HashMap;

use super::maintenance;
use super::monitor::{Broken, Draft, Named};
use super::objective;
use super::reader::Reading;
use super::table::Placed;
use super::telling;
use crate::config::diagnostic::nearest::nearest;
use crate::config::diagnostic::problem::Fault;
use crate::domain::monitor::MonitorName;

/// Everything that can refer to something.
#[derive(Clone, Copy)]
pub(in crate::config) struct Links<'a> {
    /// The names of all monitors, also of those that are wrong elsewhere.
    pub named: &'a [Named],
    /// Whether these are all: only then is another name unknown for certain.
    pub complete: bool,
    /// The monitors that could be read.
    pub monitors: &'a [Draft],
    /// What the others refer to.
    pub broken: &'a [Broken],
    /// The windows that could be read.
    pub windows: &'a [maintenance::Draft],
    /// The objectives that could be read.
    pub objectives: &'a [objective::Draft],
    /// The steps of escalation that could be read.
    pub steps: &'a [telling::StepDraft],
}

/// Checks every name and every reference.
pub(in crate::config) fn check(reading: &mut Reading<'_>, links: Links<'_>) {
    let names = Names {
        by_name: unique(reading, links.named),
        links,
    };
    let mut inherited: Vec<&MonitorName> = Vec::new();
    let of_broken = links.broken.iter().flat_map(|broken| &broken.depends_on);
    let parents = links.monitors.iter().flat_map(|draft| &draft.depends_on);
    for parent in parents.chain(of_broken) {
        // What `[defaults]` names is looked up once.
        if parent.inherited {
            if inherited.contains(&&parent.it) {
                continue;
            }
            inherited.push(&parent.it);
        }
        names.require(reading, parent);
    }
    renames(reading, &names);
    for window in links.windows {
        names.require_all(reading, &window.monitors, &window.tags);
    }
    for step in links.steps {
        names.require_all(reading, &step.monitors, &step.tags);
    }
    for (index, objective) in links.objectives.iter().enumerate() {
        names.require_all(reading, &objective.monitors, &objective.tags);
        let Some(name) = &objective.name else {
            continue;
        };
        let mut before = links.objectives[..index].iter();
        let first =
            before.find_map(|draft| draft.name.as_ref().filter(|first| first.it == name.it));
        if let Some(first) = first {
            let fault = Fault::new(
                name.place,
                format!("the name `{}` is taken", name.it),
                "names of objectives are unique: choose another",
            );
            reading.fault(fault.and(first.place, "first here"));
        }
    }
    cycles(reading, &links);
}

/// Where each name comes from; names that are taken are reported.
fn unique<'a>(
    reading: &mut Reading<'_>,
    named: &'a [Named],
) -> HashMap<&'a MonitorName, &'a Named> {
    let mut by_name: HashMap<&MonitorName, &Named> = HashMap::with_capacity(named.len());
    for one in named {
        let Some(first) = by_name.get(&one.name) else {
            by_name.insert(&one.name, one);
            continue;
        };
        let (message, label) = match one.written || first.written {
            true => (
                format!("the name `{}` is taken", one.name),
                "names are unique: choose another",
            ),
            false => (
                format!("two monitors are called `{}` by their URLs", one.name),
                "give one of them a `name`",
            ),
        };
        reading.fault(Fault::new(one.place, message, label).and(first.place, "first here"));
    }
    by_name
}

struct Names<'a> {
    by_name: HashMap<&'a MonitorName, &'a Named>,
    links: Links<'a>,
}

impl Names<'_> {
    /// The names and tags of one window or objective.
    fn require_all(
        &self,
        reading: &mut Reading<'_>,
        names: &[Placed<MonitorName>],
        tags: &[Placed<String>],
    ) {
        let links = self.links;
        for name in names {
            self.require(reading, name);
        }
        for tag in tags {
            let is_used = links
                .monitors
                .iter()
                .any(|draft| draft.monitor.tags.contains(&tag.it));
            if !is_used && links.complete && reading.faults.is_empty() {
                reading.warn(tag.place, format!("no monitor has the tag `{}`", tag.it));
            }
        }
    }

    fn require(&self, reading: &mut Reading<'_>, name: &Placed<MonitorName>) {
        if self.by_name.contains_key(&name.it) || !self.links.complete {
            return;
        }
        let known = self.links.named.iter().map(|named| named.name.as_str());
        let near = match reading.may_suggest() {
            true => nearest(name.it.as_str(), known),
            false => None,
        };
        let label = match near {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "write the `name` of a [[monitor]]".to_owned(),
        };
        reading.fault(Fault::new(
            name.place,
            format!("there is no monitor `{}`", name.it),
            label,
        ));
    }
}

fn renames(reading: &mut Reading<'_>, names: &Names<'_>) {
    let mut taken: HashMap<&MonitorName, &Placed<MonitorName>> = HashMap::new();
    let of_right = names.links.monitors.iter().map(|draft| &draft.renamed_from);
    let of_broken = names.links.broken.iter().map(|broken| &broken.renamed_from);
    for old in of_right.chain(of_broken).flatten() {
        if let Some(owner) = names.by_name.get(&old.it) {
            let fault = Fault::new(
                old.place,
                format!("`{}` is still a monitor", old.it),
                "`renamed_from` is for a name that is no longer used",
            )
            .and(owner.place, "here");
            reading.fault(fault);
            continue;
        }
        if let Some(first) = taken.insert(&old.it, old) {
            let fault = Fault::new(
                old.place,
                format!("two monitors were renamed from `{}`", old.it),
                "the history of a name goes to one",
            )
            .and(first.place, "first here");
            reading.fault(fault);
        }
    }
}

/// A monitor with its parents.
struct Child<'a> {
    name: &'a MonitorName,
    depends_on: &'a [Placed<MonitorName>],
}

/// Reports each cycle of parents once, at the first of its monitors.
fn cycles(reading: &mut Reading<'_>, links: &Links<'_>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let of_right = links.monitors.iter().map(|draft| Child {
        name: &draft.monitor.name,
        depends_on: &draft.depends_on,
    });
    let of_broken = links.broken.iter().filter_map(|broken| {
        Some(Child {
            name: broken.name.as_ref()?,
            depends_on: &broken.depends_on,
        })
    });
    // A monitor without parents is in no cycle.
    let monitors: Vec<Child<'_>> = of_right
        .chain(of_broken)
        .filter(|child| !child.depends_on.is_empty())
        .collect();
    let by_name: HashMap<&MonitorName, usize> = monitors
        .iter()
        .enumerate()
        .map(|(index, child)| (child.name, index))
        .collect();
    let parents = |index: usize| -> Vec<usize> {
        monitors.get(index).map_or_else(Vec::new, |child| {
            child
                .depends_on
                .iter()
                .filter_map(|name| by_name.get(&name.it).copied())
                .collect()
        })
    };
    let mut marks = vec![Mark::New; monitors.len()];
    for start in 0..monitors.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // Depth first with an own stack: a chain of parents may be as long as the file.
        let mut path: Vec<(usize, Vec<usize>)> = vec![(start, parents(start))];
        marks[start] = Mark::Open;
        while let Some((_, waiting)) = path.last_mut() {
            let Some(next) = waiting.pop() else {
                if let Some((done, _)) = path.pop() {
                    marks[done] = Mark::Done;
                }
                continue;
            };
            match marks[next] {
                Mark::Done => {}
                Mark::New => {
                    marks[next] = Mark::Open;
                    path.push((next, parents(next)));
                }
                Mark::Open => {
                    let from = path
                        .iter()
                        .position(|(index, _)| *index == next)
                        .unwrap_or(0);
                    let cycle: Vec<usize> = path[from..].iter().map(|(index, _)| *index).collect();
                    report_cycle(reading, &monitors, &cycle);
                }
            }
        }
    }
}

/// A cycle longer than this is shown by its first members.
const CYCLE_SHOWN_MAX: usize = 8;

fn report_cycle(reading: &mut Reading<'_>, monitors: &[Child<'_>], cycle: &[usize]) {
    let members: Vec<&Child<'_>> = cycle
        .iter()
        .filter_map(|index| monitors.get(*index))
        .collect();
    let Some(first) = members.first() else {
        return;
    };
    let next = members.get(1).unwrap_or(first);
    let Some(link) = first.depends_on.iter().find(|name| name.it == *next.name) else {
        return;
    };
    let mut way: Vec<&str> = members
        .iter()
        .take(CYCLE_SHOWN_MAX)
        .map(|child| child.name.as_str())
        .collect();
    if members.len() > CYCLE_SHOWN_MAX {
        way.push("...");
    }
    way.push(first.name.as_str());
    let message = match members.len() {
        1 => format!("`{}` depends on itself", first.name),
        _ => format!("monitors depend on each other: {}", way.join(" -> ")),
    };
    let mut fault = Fault::new(link.place, message, "take one of these out of `depends_on`");
    for pair in members.windows(2).take(CYCLE_SHOWN_MAX).skip(1) {
        if let [from, to] = pair
            && let Some(link) = from.depends_on.iter().find(|name| name.it == *to.name)
        {
            fault = fault.and(link.place, "");
        }
    }
    if let Some(last) = members.last().filter(|_| members.len() > 1)
        && let Some(link) = last.depends_on.iter().find(|name| name.it == *first.name)
    {
        fault = fault.and(link.place, "");
    }
    reading.fault(fault);
}
