//! Decides what a filter of a path says of a value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::document::{Kind, Node};
use super::number;
use super::path::{Comparison, Operand, Pattern, Query, Test, pattern};
use super::query::Run;
use super::steps::{Spent, Steps, Walk};

/// A pattern that stands in the document is the site's choice: it may have so many bytes ...
const FOUND_PATTERN_BYTES_MAX: usize = 512;
/// ... and compile to so many, which takes about a millisecond.
const FOUND_PATTERN_COMPILED_BYTES_MAX: usize = 64 * 1024;
/// What one compilation counts.
const COMPILE_STEPS: usize = 50_000;

/// A step pays for so many bytes that are compared.
const BYTES_A_STEP: usize = 32;

/// What an operand stands for.
enum Value<'v> {
    Nothing,
    Node(Node<'v>),
    Count(usize),
}

/// A value, or the end of the walk.
type Weighed<T> = ControlFlow<Result<(), Spent>, T>;

impl<'d, 's> Run<'d, 's> {
    pub(super) fn test(&mut self, test: &Test, current: Node<'d>) -> Weighed<bool> {
        self.steps.walk(1)?;
        ControlFlow::Continue(match test {
            Test::Any(tests) => {
                for test in tests {
                    if self.test(test, current)? {
                        return ControlFlow::Continue(true);
                    }
                }
                false
            }
            Test::All(tests) => {
                for test in tests {
                    if !self.test(test, current)? {
                        return ControlFlow::Continue(false);
                    }
                }
                true
            }
            Test::Not(test) => !self.test(test, current)?,
            Test::Exists(query) => self.first_two(query, current, 1)?.0.is_some(),
            Test::Compare(left, comparison, right) => {
                let left = self.value(left, current)?;
                let right = self.value(right, current)?;
                compare(&left, *comparison, &right, self.steps)?
            }
            Test::Matches {
                whole,
                text,
                pattern,
            } => self.matches(*whole, text, pattern, current)?,
        })
    }

    /// The first values of a query, up to `wanted` of them; whether there were so many.
    fn first_two(
        &mut self,
        query: &Query,
        current: Node<'d>,
        wanted: usize,
    ) -> Weighed<(Option<Node<'d>>, usize)> {
        let from = if query.is_absolute {
            self.root
        } else {
            current
        };
        let mut first = None;
        let mut count = 0;
        let walked = self.segments(&query.segments, from, &mut |_, node| {
            first.get_or_insert(node);
            count += 1;
            match count >= wanted {
                true => Walk::Break(Ok(())),
                false => Walk::Continue(()),
            }
        });
        match walked {
            Walk::Break(Err(spent)) => ControlFlow::Break(Err(spent)),
            Walk::Break(Ok(())) | Walk::Continue(()) => ControlFlow::Continue((first, count)),
        }
    }

    fn value<'v>(&mut self, operand: &'v Operand, current: Node<'d>) -> Weighed<Value<'v>>
    where
        'd: 'v,
    {
        let node = |found: Option<Node<'d>>| found.map_or(Value::Nothing, Value::Node);
        ControlFlow::Continue(match operand {
            Operand::Literal(literal) => Value::Node(literal.root()),
            Operand::Node(query) => node(self.first_two(query, current, 1)?.0),
            Operand::Value(query) => match self.first_two(query, current, 2)? {
                (found, 1) => node(found),
                _ => Value::Nothing,
            },
            Operand::Count(query) => Value::Count(self.first_two(query, current, usize::MAX)?.1),
            Operand::Length(of) => match self.value(of, current)? {
                Value::Node(node) => match node.kind() {
                    Kind::String => {
                        self.steps.walk(node.raw().len() / BYTES_A_STEP)?;
                        Value::Count(node.string().chars().count())
                    }
                    Kind::Array | Kind::Object => {
                        let mut count = 0;
                        for member in node.members() {
                            self.steps.walk(1)?;
                            count += usize::from(!member.is_shadowed);
                        }
                        Value::Count(count)
                    }
                    Kind::Null | Kind::Bool(_) | Kind::Number => Value::Nothing,
                },
                Value::Nothing | Value::Count(_) => Value::Nothing,
            },
        })
    }

    fn matches(
        &mut self,
        whole: bool,
        text: &Operand,
        wanted: &Pattern,
        current: Node<'d>,
    ) -> Weighed<bool> {
        let text = self.value(text, current)?;
        let Some(text) = string(&text) else {
            return ControlFlow::Continue(false);
        };
        match wanted {
            Pattern::Written(None) => ControlFlow::Continue(false),
            Pattern::Written(Some(pattern)) => {
                self.steps.walk(text.len())?;
                match self.steps.is_match(pattern, &text) {
                    Ok(is_match) => ControlFlow::Continue(is_match),
                    Err(spent) => ControlFlow::Break(Err(spent)),
                }
            }
            Pattern::Found(operand) => {
                let found = self.value(operand, current)?;
                let Some(found) = string(&found) else {
                    return ControlFlow::Continue(false);
                };
                if found.len() > FOUND_PATTERN_BYTES_MAX {
                    return ControlFlow::Continue(false);
                }
                // At worst every byte of the text meets every state of the pattern.
                self.steps
                    .walk(text.len().saturating_mul(1 + found.len() / 4))?;
                let is_known =
                    matches!(&self.pattern, Some((w, known, _)) if *w == whole && *known == *found);
                if !is_known {
                    self.steps.walk(COMPILE_STEPS)?;
                    let compiled = pattern(&found, whole, FOUND_PATTERN_COMPILED_BYTES_MAX);
                    self.pattern = Some((whole, found.into_owned(), compiled));
                }
                let compiled = self.pattern.as_ref().and_then(|(_, _, it)| it.as_ref());
                ControlFlow::Continue(compiled.is_some_and(|it| it.is_match(&text)))
            }
        }
    }
}

fn string<'v>(value: &Value<'v>) -> Option<Cow<'v, str>> {
    match value {
        Value::Node(node) if node.kind() == Kind::String => Some(node.string()),
        Value::Node(_) | Value::Nothing | Value::Count(_) => None,
    }
}

fn compare(
    left: &Value<'_>,
    comparison: Comparison,
    right: &Value<'_>,
    steps: &mut Steps,
) -> Weighed<bool> {
    let (is_less, is_equal, is_greater) = match comparison {
        Comparison::Equal => (false, true, false),
        Comparison::NotEqual => {
            let order = order(left, right, steps)?;
            return ControlFlow::Continue(order != Some(Ordering::Equal));
        }
        Comparison::Less => (true, false, false),
        Comparison::LessOrEqual => (true, true, false),
        Comparison::Greater => (false, false, true),
        Comparison::GreaterOrEqual => (false, true, true),
    };
    ControlFlow::Continue(match order(left, right, steps)? {
        Some(Ordering::Less) => is_less,
        Some(Ordering::Equal) => is_equal,
        Some(Ordering::Greater) => is_greater,
        None => false,
    })
}

/// The order of two values; `None` if they differ and have no order.
fn order(left: &Value<'_>, right: &Value<'_>, steps: &mut Steps) -> Weighed<Option<Ordering>> {
    ControlFlow::Continue(match (left, right) {
        (Value::Nothing, Value::Nothing) => Some(Ordering::Equal),
        (Value::Nothing, _) | (_, Value::Nothing) => None,
        (Value::Count(a), Value::Count(b)) => Some(a.cmp(b)),
        (Value::Count(a), Value::Node(b)) if b.kind() == Kind::Number => {
            Some(number::compare(&a.to_string(), b.raw()))
        }
        (Value::Node(a), Value::Count(b)) if a.kind() == Kind::Number => {
            Some(number::compare(a.raw(), &b.to_string()))
        }
        (Value::Count(_), Value::Node(_)) | (Value::Node(_), Value::Count(_)) => None,
        (Value::Node(a), Value::Node(b)) => {
            // Escapes are resolved to the end of both, and digits are read to it.
            steps.walk(a.raw().len().max(b.raw().len()) / BYTES_A_STEP)?;
            match (a.kind(), b.kind()) {
                (Kind::Number, Kind::Number) => Some(number::compare(a.raw(), b.raw())),
                (Kind::String, Kind::String) => Some(a.string().cmp(&b.string())),
                _ => match a.is_equal(*b, steps) {
                    Ok(is_equal) => is_equal.then_some(Ordering::Equal),
                    Err(spent) => return ControlFlow::Break(Err(spent)),
                },
            }
        }
    })
}

impl Node<'_> {
    /// Whether two values are equal: numbers by their value, objects in any order of their members.
    ///
    /// # Errors
    /// Where the steps are used up before that is known.
    pub fn is_equal(self, other: Node<'_>, steps: &mut Steps) -> Result<bool, Spent> {
        let mut open = vec![(self, other)];
        while let Some((a, b)) = open.pop() {
            steps.take(1 + a.raw().len().max(b.raw().len()) / BYTES_A_STEP)?;
            let is_equal = match (a.kind(), b.kind()) {
                (Kind::Number, Kind::Number) => number::compare(a.raw(), b.raw()).is_eq(),
                (Kind::String, Kind::String) => a.raw() == b.raw() || a.string() == b.string(),
                (Kind::Array, Kind::Array) => {
                    let (mut left, mut right) = (a.members(), b.members());
                    loop {
                        steps.take(1)?;
                        match (left.next(), right.next()) {
                            (Some(left), Some(right)) => open.push((left.value, right.value)),
                            (None, None) => break true,
                            (Some(_), None) | (None, Some(_)) => break false,
                        }
                    }
                }
                (Kind::Object, Kind::Object) => {
                    let mut count = 0;
                    for left in a.members() {
                        steps.take(1)?;
                        let Some(key) = left.key.filter(|_| !left.is_shadowed) else {
                            continue;
                        };
                        count += 1;
                        steps.take(key.raw().len() / BYTES_A_STEP)?;
                        let name = key.string();
                        let mut found = None;
                        for right in b.members() {
                            steps.take(1 + name.len() / BYTES_A_STEP)?;
                            if !right.is_shadowed && right.key.is_some_and(|it| it.is_string(&name))
                            {
                                found = Some(right.value);
                                break;
                            }
                        }
                        match found {
                            Some(right) => open.push((left.value, right)),
                            None => return Ok(false),
                        }
                    }
                    let mut others = 0;
                    for right in b.members() {
                        steps.take(1)?;
                        others += usize::from(!right.is_shadowed);
                    }
                    count == others
                }
                (a, b) => a == b,
            };
            if !is_equal {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
