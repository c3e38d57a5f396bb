//! Reads the text of a JSON path (RFC 9535 section 2), within bounds of its length and depth.

use std::sync::Arc;

use super::document::Document;
use super::path::{
    Comparison, JsonPath, Operand, Pattern, Query, Segment, Selector, Shared, Test, pattern,
};
use crate::domain::pattern_size::compiled_bytes;

/// Longer than any path that a person writes.
const PATH_BYTES_MAX: usize = 2048;

/// Filters, parentheses and functions within each other. Each level takes some of the stack.
const DEPTH_MAX: usize = 24;

/// Numbers in a path are exact in every language (RFC 9535 section 2.1).
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// The patterns in a path may compile to this much together.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// What is said where a path breaks off behind a dot.
pub const NAME_MISSING: &str = "a name is missing after the dot";

/// Why a text is no JSON path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathError {
    /// The byte of the text that is wrong.
    pub at: usize,
    /// One clause for a person.
    pub what: &'static str,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Where the text is none, and where it is too long or nested too deep.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError {
                at: PATH_BYTES_MAX,
                what: "a path has at most 2048 bytes",
            });
        }
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
            patterns_bytes: 0,
        };
        parser.must(b'$', "a path begins with `$`")?;
        let segments = parser.segments()?;
        match parser.at == text.len() {
            true => Ok(Self(Arc::new(Shared {
                segments,
                patterns_bytes: parser.patterns_bytes,
            }))),
            false => parser.wrong(match parser.peek() {
                Some(b' ') if parser.rest().trim_start().starts_with(['=', '<', '>', '!']) => {
                    "a path only says where; use equals, less_than or greater_than beside it"
                }
                Some(b'-') => "a name with `-` in it is written ['a-b']",
                Some(b' ') => "a name with a space in it is written ['a b']",
                Some(b']') => "there is a `]` too many",
                Some(b'(') => "a path has no functions outside of a filter",
                Some(b'=' | b'<' | b'>' | b'!') => {
                    "a path only says where; use equals, less_than or greater_than beside it"
                }
                _ => "write `.name`, `['name']` or `[0]` here",
            }),
        }
    }
}

/// A part of a filter before it is known what it is for.
enum Term {
    Literal(Document<'static>),
    Query(Query),
    /// `length()`, `count()` or `value()`.
    Value(Operand),
    /// `match()` or `search()`.
    Logical(Test),
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    patterns_bytes: u64,
}

type Parsed<T> = Result<T, PathError>;

impl Parser<'_> {
    const fn wrong<T>(&self, what: &'static str) -> Parsed<T> {
        Err(PathError { at: self.at, what })
    }

    /// Counts a pattern before it is compiled. One that cannot be read costs nothing.
    fn charge(&mut self, pattern: &str) -> Parsed<()> {
        let bytes = regex_syntax::parse(pattern).map_or(0, |pattern| compiled_bytes(&pattern));
        self.patterns_bytes = self.patterns_bytes.saturating_add(bytes);
        match self.patterns_bytes <= PATTERN_BYTES_MAX as u64 {
            true => Ok(()),
            false => {
                self.wrong("the patterns of this path are too large when compiled; repeat less")
            }
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_here = self.rest().starts_with(text);
        if is_here {
            self.at += text.len();
        }
        is_here
    }

    fn must(&mut self, byte: u8, what: &'static str) -> Parsed<()> {
        if self.peek() != Some(byte) {
            return self.wrong(what);
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            return self.wrong("filters, parentheses and functions are nested more than 24 deep");
        }
        self.depth += 1;
        let parsed = inner(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn segments(&mut self) -> Parsed<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            // White space belongs to the path only where a segment follows it.
            let before = self.at;
            self.space();
            let descends = self.eat("..");
            let selectors = if self.peek() == Some(b'[') {
                self.bracketed()?
            } else if descends || self.eat(".") {
                match self.eat("*") {
                    true => vec![Selector::Every],
                    false => vec![Selector::Name(self.shorthand()?)],
                }
            } else {
                self.at = before;
                return Ok(segments);
            };
            segments.push(Segment {
                descends,
                selectors,
            });
        }
    }

    fn shorthand(&mut self) -> Parsed<String> {
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(is_first(c) || c.is_ascii_digit()))
            .unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        if !name.starts_with(is_first) {
            return self.wrong(match rest.chars().next() {
                None | Some('.' | '[' | ' ') => NAME_MISSING,
                Some(c) if c.is_ascii_digit() => "a number is written in brackets: [0]",
                Some('\'' | '"') => "a name in quotes is written in brackets: ['a']",
                Some(_) => "a name with such a character is written in brackets: ['a-b']",
            });
        }
        self.at += length;
        Ok(name)
    }

    fn bracketed(&mut self) -> Parsed<Vec<Selector>> {
        self.must(b'[', "a `[` is missing here")?;
        let mut selectors = Vec::new();
        loop {
            self.space();
            selectors.push(self.selector()?);
            self.space();
            if !self.eat(",") {
                self.must(b']', "a `]` is missing here")?;
                return Ok(selectors);
            }
        }
    }

    fn selector(&mut self) -> Parsed<Selector> {
        match self.peek() {
            Some(b'\'' | b'"') => self.string().map(Selector::Name),
            Some(b'*') => {
                self.at += 1;
                Ok(Selector::Every)
            }
            Some(b'?') => {
                self.at += 1;
                self.deeper(Self::any).map(Selector::Filter)
            }
            Some(b':' | b'-' | b'0'..=b'9') => self.index_or_slice(),
            Some(b'_' | b'a'..=b'z' | b'A'..=b'Z') => {
                self.wrong("a name in brackets is written in quotes: ['a']")
            }
            Some(b']') => self.wrong("these brackets are empty: write ['a'], [0] or [*]"),
            Some(b'(') => self.wrong("a filter begins with `?`: [?(..)]"),
            None => self.wrong("a name in quotes, a number, `*` or a filter is missing after `[`"),
            Some(_) => self.wrong("write a name in quotes, a number, `*` or a filter here"),
        }
    }

    fn index_or_slice(&mut self) -> Parsed<Selector> {
        let start = self.some_integer()?;
        let before = self.at;
        self.space();
        if !self.eat(":") {
            self.at = before;
            return match start {
                Some(index) => Ok(Selector::Index(index)),
                None => self.wrong("a number is missing here"),
            };
        }
        self.space();
        let end = self.some_integer()?;
        let before = self.at;
        self.space();
        let mut step = None;
        if self.eat(":") {
            self.space();
            step = self.some_integer()?;
        } else {
            self.at = before;
        }
        Ok(Selector::Slice {
            start,
            end,
            step: step.unwrap_or(1),
        })
    }

    fn some_integer(&mut self) -> Parsed<Option<i64>> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Ok(None);
        }
        let from = self.at;
        let is_negative = self.eat("-");
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let digits = &rest[..length];
        let is_plain = match digits {
            "" => false,
            "0" => !is_negative,
            _ => !digits.starts_with('0'),
        };
        let number: Option<i64> = digits.parse().ok();
        let number = number.filter(|number| *number <= INTEGER_MAX);
        let (Some(number), true) = (number, is_plain) else {
            let what = match digits {
                "" => "digits are missing after `-`",
                "0" => "write 0 without a sign",
                _ if digits.starts_with('0') => "a number does not begin with a zero",
                _ => "this number is too large for a path",
            };
            self.at = from;
            return self.wrong(what);
        };
        self.at += length;
        Ok(Some(if is_negative { -number } else { number }))
    }

    fn string(&mut self) -> Parsed<String> {
        let from = self.at;
        let quote = self.peek().unwrap_or(b'"');
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                self.at = from;
                return self.wrong("this quote is not closed");
            };
            if c < ' ' {
                return self.wrong("write a control character like \\u000a");
            }
            if c == '\\' {
                out.push(self.escape(quote)?);
                continue;
            }
            self.at += c.len_utf8();
            if c == char::from(quote) {
                return Ok(out);
            }
            out.push(c);
        }
    }

    fn escape(&mut self, quote: u8) -> Parsed<char> {
        let wrong = PathError {
            at: self.at,
            what: "this escape does not exist",
        };
        self.at += 1;
        let escape = self.peek().ok_or(wrong)?;
        self.at += 1;
        Ok(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'/' | b'\\' => char::from(escape),
            _ if escape == quote => char::from(quote),
            b'u' => {
                let first = self.hex().ok_or(wrong)?;
                let code = match first {
                    0xd800..=0xdbff if self.eat("\\u") => {
                        let second = self.hex().filter(|unit| (0xdc00..=0xdfff).contains(unit));
                        0x1_0000 + ((first - 0xd800) << 10) + (second.ok_or(wrong)? - 0xdc00)
                    }
                    first => first,
                };
                char::from_u32(code).ok_or(wrong)?
            }
            _ => return Err(wrong),
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let unit = u32::from_str_radix(digits, 16).ok();
        self.at += 4;
        unit
    }

    fn any(&mut self) -> Parsed<Test> {
        self.joined("||", Self::all, Test::Any)
    }

    fn all(&mut self) -> Parsed<Test> {
        self.joined("&&", Self::basic, Test::All)
    }

    fn joined(
        &mut self,
        operator: &str,
        part: fn(&mut Self) -> Parsed<Test>,
        join: fn(Vec<Test>) -> Test,
    ) -> Parsed<Test> {
        let first = part(self)?;
        let mut more = Vec::new();
        loop {
            let before = self.at;
            self.space();
            if !self.eat(operator) {
                self.at = before;
                break;
            }
            more.push(part(self)?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(join(more))
    }

    fn basic(&mut self) -> Parsed<Test> {
        self.space();
        let is_negated = self.eat("!");
        if is_negated {
            self.space();
        }
        let test = if self.peek() == Some(b'(') {
            self.at += 1;
            let inner = self.deeper(Self::any)?;
            self.space();
            self.must(b')', "a `)` is missing here")?;
            inner
        } else {
            self.comparison(is_negated)?
        };
        Ok(match is_negated {
            true => Test::Not(Box::new(test)),
            false => test,
        })
    }

    fn comparison(&mut self, is_negated: bool) -> Parsed<Test> {
        let from = self.at;
        let left = self.term()?;
        let before = self.at;
        self.space();
        let operator = if is_negated { None } else { self.operator() };
        let Some(operator) = operator else {
            self.at = before;
            return match left {
                Term::Query(query) => Ok(Test::Exists(query)),
                Term::Logical(test) => Ok(test),
                Term::Literal(_) | Term::Value(_) => {
                    self.at = from;
                    self.wrong("this needs to be compared with something")
                }
            };
        };
        let left = self.comparable(left, from)?;
        self.space();
        let from = self.at;
        let right = self.term()?;
        let right = self.comparable(right, from)?;
        Ok(Test::Compare(left, operator, right))
    }

    fn operator(&mut self) -> Option<Comparison> {
        [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ]
        .into_iter()
        .find_map(|(text, operator)| self.eat(text).then_some(operator))
    }

    fn comparable(&mut self, term: Term, from: usize) -> Parsed<Operand> {
        let what = match term {
            Term::Literal(literal) => return Ok(Operand::Literal(literal)),
            Term::Value(operand) => return Ok(operand),
            Term::Query(query) if query.is_singular() => return Ok(Operand::Node(query)),
            Term::Query(_) => "only a path to one value can be compared",
            Term::Logical(_) => "match() and search() are true or false, and not compared",
        };
        self.at = from;
        self.wrong(what)
    }

    fn term(&mut self) -> Parsed<Term> {
        match self.peek() {
            Some(b'\'' | b'"') => Ok(Term::Literal(Document::string(&self.string()?))),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(root @ (b'$' | b'@')) => {
                self.at += 1;
                let segments = self.segments()?;
                Ok(Term::Query(Query {
                    is_absolute: root == b'$',
                    segments,
                }))
            }
            _ => {
                let rest = self.rest();
                let length = rest
                    .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
                    .unwrap_or(rest.len());
                match &rest[..length] {
                    word @ ("true" | "false" | "null") => {
                        let word = word.to_owned();
                        self.at += length;
                        self.literal(word)
                    }
                    _ => self.function(length),
                }
            }
        }
    }

    fn literal(&self, text: String) -> Parsed<Term> {
        match Document::parse(text, 1) {
            Ok(literal) => Ok(Term::Literal(literal)),
            Err(_) => self.wrong("this is not a number"),
        }
    }

    fn number(&mut self) -> Parsed<Term> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)))
            .unwrap_or(rest.len());
        let literal = self.literal(rest[..length].to_owned())?;
        self.at += length;
        Ok(literal)
    }

    fn function(&mut self, length: usize) -> Parsed<Term> {
        let name = self.rest()[..length].to_owned();
        let known = ["length", "count", "value", "match", "search"].contains(&name.as_str());
        if !known || self.text.as_bytes().get(self.at + length) != Some(&b'(') {
            return self.wrong(match self.peek() {
                None => "the filter is not complete",
                Some(b'=') => "what is compared is missing before this",
                Some(_) if length > 0 => "write @.name for a member, and texts in quotes",
                Some(_) => "a path (@.name), a value or a function belongs here",
            });
        }
        self.at += length + 1;
        self.deeper(|parser| {
            parser.space();
            let from = parser.at;
            let first = parser.term()?;
            let term = match name.as_str() {
                "length" => {
                    let of = parser.comparable(first, from)?;
                    Term::Value(Operand::Length(Box::new(of)))
                }
                "count" | "value" => match first {
                    Term::Query(query) if name == "count" => Term::Value(Operand::Count(query)),
                    Term::Query(query) => Term::Value(Operand::Value(query)),
                    Term::Literal(_) | Term::Value(_) | Term::Logical(_) => {
                        parser.at = from;
                        return parser.wrong("this function takes a path");
                    }
                },
                _ => {
                    let text = parser.comparable(first, from)?;
                    parser.space();
                    parser.must(b',', "a `,` and a pattern are missing here")?;
                    parser.space();
                    let from = parser.at;
                    let second = parser.term()?;
                    let whole = name == "match";
                    let pattern = match parser.comparable(second, from)? {
                        Operand::Literal(literal) => {
                            let text = literal.root().string();
                            parser.charge(&text)?;
                            Pattern::Written(pattern(&text, whole, PATTERN_BYTES_MAX))
                        }
                        found => Pattern::Found(found),
                    };
                    Term::Logical(Test::Matches {
                        whole,
                        text,
                        pattern,
                    })
                }
            };
            parser.space();
            parser.must(b')', "`)` is needed here")?;
            Ok(term)
        })
    }
}
