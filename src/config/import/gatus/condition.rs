//! One condition of Gatus as text: a placeholder, an operator, a value.

/// A condition taken apart: what is looked at, how, and against what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    pub(super) left: &'a str,
    pub(super) operator: &'a str,
    pub(super) right: &'a str,
}

/// In the order in which Gatus looks for them.
const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", ">", "<"];

impl<'a> Condition<'a> {
    /// Gatus takes an operator between blanks only; without them the first one counts.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let spaced = OPERATORS.into_iter().find_map(|operator| {
            let at = text.find(&format!(" {operator} "))?;
            Some((at + 1, operator))
        });
        let first = || {
            OPERATORS
                .into_iter()
                .filter_map(|operator| Some((text.find(operator)?, operator)))
                .min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.len())))
        };
        let (at, operator) = spaced.or_else(first)?;
        let condition = Self {
            left: text[..at].trim(),
            operator,
            right: text[at + operator.len()..].trim(),
        };
        // `200 == [STATUS]` is the same the other way round.
        let is_turned = has_placeholder(condition.right) && !has_placeholder(condition.left);
        let condition = if is_turned {
            condition.turned()
        } else {
            condition
        };
        // Two things of the answer are not compared here, nor a comparison with another one.
        let is_chained = condition.right.contains(&format!(" {operator} "));
        (!has_placeholder(condition.right) && !is_chained).then_some(condition)
    }

    fn turned(self) -> Self {
        Self {
            left: self.right,
            operator: match self.operator {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                other => other,
            },
            right: self.left,
        }
    }
}

/// Whether a text begins with `[NAME]`, alone or in a function.
fn has_placeholder(text: &str) -> bool {
    let inner = ["len(", "has(", "age("]
        .iter()
        .find_map(|function| text.strip_prefix(function))
        .unwrap_or(text);
    inner.strip_prefix('[').is_some_and(|rest| {
        let name = rest.split(']').next().unwrap_or_default();
        name.len() > 1 && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
    })
}

/// Names of placeholders in capitals, as Gatus reads them; what stands behind keeps its case.
pub(super) fn in_capitals(left: &str) -> String {
    match left.split_once(']') {
        Some((name, rest)) => match name.split_once('[') {
            Some((function, name)) => format!("{function}[{}]{rest}", name.to_ascii_uppercase()),
            None => left.to_owned(),
        },
        None => left.to_owned(),
    }
}
