//! Walks a document along a path, value by value and within a budget: nothing is collected, so that a path costs time
//! alone, and only what its steps allow.

use std::ops::ControlFlow;

use regex::Regex;

use super::document::{Document, Kind, Node};
use super::path::{JsonPath, Segment, Selector};
use super::steps::{Spent, Steps, Walk};

/// What is done with a value that a path leads to.
pub(super) type Visit<'v, 'd, 's> = dyn FnMut(&mut Run<'d, 's>, Node<'d>) -> Walk + 'v;

/// What the asker does with one: it breaks off where it has seen enough.
pub type Look<'v, 'd> = dyn FnMut(Node<'d>, &mut Steps) -> Result<ControlFlow<()>, Spent> + 'v;

/// One walk.
pub(super) struct Run<'d, 's> {
    pub(super) root: Node<'d>,
    pub(super) steps: &'s mut Steps,
    /// The last pattern that stood in the document.
    pub(super) pattern: Option<(bool, String, Option<Regex>)>,
}

impl JsonPath {
    /// Calls `visit` with each value that the path selects, in order, until it breaks.
    ///
    /// # Errors
    /// Where the steps are used up before.
    pub fn visit<'d>(
        &self,
        document: &'d Document<'d>,
        steps: &mut Steps,
        visit: &mut Look<'_, 'd>,
    ) -> Result<(), Spent> {
        let root = document.root();
        let mut run = Run {
            root,
            steps,
            pattern: None,
        };
        let walked = run.segments(&self.0.segments, root, &mut |run, node| match visit(
            node, run.steps,
        ) {
            Ok(ControlFlow::Continue(())) => Walk::Continue(()),
            Ok(ControlFlow::Break(())) => Walk::Break(Ok(())),
            Err(spent) => Walk::Break(Err(spent)),
        });
        match walked {
            Walk::Continue(()) | Walk::Break(Ok(())) => Ok(()),
            Walk::Break(Err(spent)) => Err(spent),
        }
    }
}

impl<'d, 's> Run<'d, 's> {
    pub(super) fn segments(
        &mut self,
        segments: &[Segment],
        node: Node<'d>,
        visit: &mut Visit<'_, 'd, 's>,
    ) -> Walk {
        let Some((segment, rest)) = segments.split_first() else {
            return visit(self, node);
        };
        let mut at = |run: &mut Self, node: Node<'d>| {
            segment.selectors.iter().try_for_each(|selector| {
                run.select(selector, node, &mut |run, found| {
                    run.segments(rest, found, visit)
                })
            })
        };
        if !segment.descends {
            return at(self, node);
        }
        for node in node.descendants() {
            self.steps.walk(1)?;
            if let Some(node) = node {
                at(self, node)?;
            }
        }
        Walk::Continue(())
    }

    fn select(
        &mut self,
        selector: &Selector,
        node: Node<'d>,
        visit: &mut Visit<'_, 'd, 's>,
    ) -> Walk {
        self.steps.walk(1)?;
        match (selector, node.kind()) {
            (Selector::Name(name), Kind::Object) => {
                for member in node.members() {
                    self.steps.walk(1)?;
                    let is_it = member.key.is_some_and(|key| key.is_string(name));
                    if is_it && !member.is_shadowed {
                        return visit(self, member.value);
                    }
                }
            }
            (Selector::Every, Kind::Object | Kind::Array) => {
                for member in node.members() {
                    self.steps.walk(1)?;
                    if !member.is_shadowed {
                        visit(self, member.value)?;
                    }
                }
            }
            (Selector::Filter(test), Kind::Object | Kind::Array) => {
                for member in node.members() {
                    self.steps.walk(1)?;
                    if !member.is_shadowed && self.test(test, member.value)? {
                        visit(self, member.value)?;
                    }
                }
            }
            (Selector::Index(index), Kind::Array) => {
                let place = if *index >= 0 {
                    usize::try_from(*index).ok()
                } else {
                    let count = self.count(node)?;
                    let from_end = usize::try_from(index.unsigned_abs()).ok();
                    from_end.and_then(|from_end| count.checked_sub(from_end))
                };
                if let Some(place) = place {
                    for (at, member) in node.members().enumerate() {
                        self.steps.walk(1)?;
                        if at == place {
                            return visit(self, member.value);
                        }
                    }
                }
            }
            (Selector::Slice { start, end, step }, Kind::Array) => {
                let count = self.count(node)?;
                let (first, last) = bounds(*start, *end, *step, count);
                return self.slice(node, first, last, *step, visit);
            }
            (Selector::Name(_) | Selector::Index(_) | Selector::Slice { .. }, _)
            | (Selector::Every | Selector::Filter(_), _) => {}
        }
        Walk::Continue(())
    }

    fn count(&mut self, node: Node<'d>) -> ControlFlow<Result<(), Spent>, usize> {
        let mut count = 0;
        for member in node.members() {
            self.steps.walk(1)?;
            count += usize::from(!member.is_shadowed);
        }
        ControlFlow::Continue(count)
    }

    /// The values at `first`, `first + step` and so on before `last`.
    fn slice(
        &mut self,
        node: Node<'d>,
        first: i64,
        last: i64,
        step: i64,
        visit: &mut Visit<'_, 'd, 's>,
    ) -> Walk {
        if step == 0 {
            return Walk::Continue(());
        }
        let mut places = Vec::new();
        for (at, member) in node.members().enumerate() {
            self.steps.walk(1)?;
            let at = i64::try_from(at).unwrap_or(i64::MAX);
            let is_within = match step > 0 {
                true => at >= first && at < last,
                false => at <= first && at > last,
            };
            if !is_within || (at - first) % step != 0 {
                continue;
            }
            match step > 0 {
                true => visit(self, member.value)?,
                false => places.push(member.value),
            }
        }
        let mut backwards = places.into_iter().rev();
        backwards.try_for_each(|value| visit(self, value))
    }
}

/// Where a slice begins, and what it ends before (RFC 9535 section 2.3.4.2.2).
fn bounds(start: Option<i64>, end: Option<i64>, step: i64, count: usize) -> (i64, i64) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let from_start = |at: i64| if at >= 0 { at } else { count + at };
    if step >= 0 {
        let start = from_start(start.unwrap_or(0));
        let end = from_start(end.unwrap_or(count));
        (start.clamp(0, count), end.clamp(0, count))
    } else {
        let start = start.map_or(count - 1, from_start);
        let end = end.map_or(-1, |end| from_start(end).max(-1));
        (start.clamp(-1, count - 1), end.clamp(-1, count - 1))
    }
}
