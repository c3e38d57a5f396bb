//! A path into a JSON document, parsed (RFC 9535).

use std::sync::Arc;

use regex::Regex;

use super::document::Document;

/// A JSON path. It selects any number of values.
#[derive(Debug, Clone)]
pub struct JsonPath(pub(super) Arc<Shared>);

/// What monitors that say the same share of a path.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) segments: Vec<Segment>,
    /// What its patterns take when they are compiled.
    pub(super) patterns_bytes: u64,
}

/// One step of a path.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// `..`: taken at a value and at everything in it.
    pub(super) descends: bool,
    pub(super) selectors: Vec<Selector>,
}

#[derive(Debug, Clone)]
pub(super) enum Selector {
    Name(String),
    Every,
    /// Negative ones count from the end.
    Index(i64),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
    Filter(Test),
}

/// What a filter asks of a value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Any(Vec<Test>),
    All(Vec<Test>),
    Not(Box<Test>),
    Exists(Query),
    Compare(Operand, Comparison, Operand),
    Matches {
        /// `match()` is of the whole text, `search()` of a part.
        whole: bool,
        text: Operand,
        pattern: Pattern,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// Written in the path. None: it is no pattern, and matches nothing.
    Written(Option<Regex>),
    /// To be found in the document.
    Found(Operand),
}

/// A path within a filter.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// `$` or `@`.
    pub(super) is_absolute: bool,
    pub(super) segments: Vec<Segment>,
}

impl Query {
    /// Whether it selects one value at most.
    pub(super) fn is_singular(&self) -> bool {
        is_singular(&self.segments)
    }
}

/// One side of a comparison, or an argument.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Literal(Document<'static>),
    /// A singular query.
    Node(Query),
    Length(Box<Operand>),
    Count(Query),
    Value(Query),
}

impl JsonPath {
    /// Whether it selects one value at most, so that it is found within a few steps for each segment.
    pub fn is_singular(&self) -> bool {
        is_singular(&self.0.segments)
    }

    /// About how many bytes its patterns take when they are compiled.
    pub fn patterns_bytes(&self) -> u64 {
        self.0.patterns_bytes
    }
}

fn is_singular(segments: &[Segment]) -> bool {
    segments.iter().all(|segment| {
        !segment.descends
            && matches!(
                segment.selectors.as_slice(),
                [Selector::Name(_) | Selector::Index(_)]
            )
    })
}

/// A pattern of `match()` or `search()`, where `.` is no line break (RFC 9485).
pub(super) fn pattern(text: &str, whole: bool, size_bytes_max: usize) -> Option<Regex> {
    let mut translated = String::with_capacity(text.len() + 8);
    let mut in_class = false;
    let mut is_escaped = false;
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '.' if !in_class => {
                translated.push_str(r"[^\n\r]");
                continue;
            }
            _ => {}
        }
        translated.push(c);
    }
    let all = match whole {
        true => format!("^(?:{translated})$"),
        false => translated,
    };
    regex::RegexBuilder::new(&all)
        .size_limit(size_bytes_max)
        .dfa_size_limit(size_bytes_max)
        .nest_limit(50)
        .build()
        .ok()
}
