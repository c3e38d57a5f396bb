//! A JSON text and a flat list of where its values are.

use std::borrow::Cow;
use std::fmt;

use super::reader::{JsonFault, Reader};

/// Marks the name of an object's member.
pub(super) const KEY: u32 = 1 << 31;
/// Marks a name that comes again later in its object: the last one counts, as in a browser.
pub(super) const SHADOWED: u32 = 1 << 30;

/// Where one value is. Eight bytes, since the body decides how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its first byte in the text, with the marks.
    pub(super) start: u32,
    /// For an array or object the index of the first entry behind it; else its end in the text.
    pub(super) end: u32,
}

impl Entry {
    pub(super) const fn at(self) -> usize {
        (self.start & !(KEY | SHADOWED)) as usize
    }
}

/// A JSON text that was read. What it holds is looked up in the text: numbers keep every digit.
#[derive(Clone)]
pub struct Document<'t> {
    text: Cow<'t, str>,
    entries: Vec<Entry>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number,
    /// Any text.
    String,
    /// A list.
    Array,
    /// Names with values.
    Object,
}

/// One value of a document.
#[derive(Debug, Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document<'d>,
    index: u32,
}

/// A value within an array or object, as it is walked past.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'d> {
    /// Its name, in an object.
    pub(super) key: Option<Node<'d>>,
    pub(super) value: Node<'d>,
    /// Whether the same name comes again later.
    pub(super) is_shadowed: bool,
}

impl<'t> Document<'t> {
    /// Reads a text with at most `values_max` values and names.
    ///
    /// # Errors
    /// Where the text is no JSON, and where it goes beyond a bound of ours.
    pub fn parse(text: impl Into<Cow<'t, str>>, values_max: usize) -> Result<Self, JsonFault> {
        let text = text.into();
        let entries = Reader::new(&text, values_max).read()?;
        Ok(Self { text, entries })
    }

    /// A document that is one string.
    pub fn string(value: &str) -> Self {
        let mut text = String::with_capacity(value.len() + 2);
        write_string(&mut text, value);
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self {
            text: Cow::Owned(text),
            entries: vec![Entry { start: 0, end }],
        }
    }

    /// The whole of it.
    pub const fn root(&self) -> Node<'_> {
        Node {
            document: self,
            index: 0,
        }
    }
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text as it was written.
impl fmt::Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'d> Node<'d> {
    fn entry(self) -> Entry {
        self.document.entries[self.index as usize]
    }

    const fn at(self, index: u32) -> Self {
        Self { index, ..self }
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.document.text.as_bytes()[self.entry().at()] {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b't' => Kind::Bool(true),
            b'f' => Kind::Bool(false),
            b'n' => Kind::Null,
            _ => Kind::Number,
        }
    }

    fn is_container(self) -> bool {
        matches!(
            self.document.text.as_bytes()[self.entry().at()],
            b'{' | b'['
        )
    }

    /// The index behind this value and all that is in it.
    fn behind(self) -> u32 {
        if self.is_container() {
            self.entry().end
        } else {
            self.index + 1
        }
    }

    /// A number, string or word as it stands in the text; empty for arrays and objects.
    pub fn raw(self) -> &'d str {
        if self.is_container() {
            return "";
        }
        let entry = self.entry();
        self.document
            .text
            .get(entry.at()..entry.end as usize)
            .unwrap_or_default()
    }

    /// What a string holds: escapes resolved, half a surrogate pair as U+FFFD.
    pub fn string(self) -> Cow<'d, str> {
        let raw = self.raw();
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        unescaped(inner)
    }

    /// Whether a string is this one, at a cost that the length of `wanted` bounds.
    pub(super) fn is_string(self, wanted: &str) -> bool {
        let raw = self.raw();
        let Some(inner) = raw.get(1..raw.len().saturating_sub(1)) else {
            return false;
        };
        // An escape takes six bytes for one at most.
        if inner.len() < wanted.len() || inner.len() > 6 * wanted.len() {
            return false;
        }
        unescaped(inner) == wanted
    }

    /// The values of an array, the members of an object, shadowed ones too; none of anything else.
    pub(super) fn members(self) -> impl Iterator<Item = Member<'d>> {
        let end = self.behind();
        let mut index = self.index + 1;
        let is_array = self.kind() == Kind::Array;
        std::iter::from_fn(move || {
            if index >= end {
                return None;
            }
            let first = self.at(index);
            let (key, value) = if is_array {
                (None, first)
            } else {
                (Some(first), self.at(index + 1))
            };
            index = value.behind();
            let is_shadowed = key.is_some_and(|key| key.entry().start & SHADOWED != 0);
            Some(Member {
                key,
                value,
                is_shadowed,
            })
        })
    }

    /// This value and all values in it that are not shadowed, parents first; `None` stands for a name.
    pub(super) fn descendants(self) -> impl Iterator<Item = Option<Node<'d>>> {
        let end = self.behind();
        let mut index = self.index;
        std::iter::from_fn(move || {
            if index >= end {
                return None;
            }
            let node = self.at(index);
            let start = node.entry().start;
            index = match start {
                _ if start & SHADOWED != 0 => self.at(index + 1).behind(),
                _ => index + 1,
            };
            Some((start & KEY == 0).then_some(node))
        })
    }

    /// As JSON without white space, names in alphabetical order, numbers as written; it may end early once it has
    /// more than `bytes_max` bytes.
    pub fn compact(self, bytes_max: usize) -> String {
        let mut out = String::new();
        // What is left to be written of the arrays and objects around: in reverse order.
        let mut open: Vec<(Vec<Member<'d>>, char)> = Vec::new();
        let mut current = Some(self);
        while out.len() <= bytes_max {
            if let Some(node) = current.take() {
                match node.kind() {
                    Kind::Array | Kind::Object => {
                        let mut members: Vec<Member<'d>> =
                            node.members().filter(|it| !it.is_shadowed).collect();
                        let is_array = node.kind() == Kind::Array;
                        if !is_array {
                            members.sort_by_cached_key(|it| it.key.map(Node::string));
                        }
                        members.reverse();
                        out.push(if is_array { '[' } else { '{' });
                        open.push((members, if is_array { ']' } else { '}' }));
                    }
                    Kind::String => write_string(&mut out, &node.string()),
                    Kind::Null | Kind::Bool(_) | Kind::Number => out.push_str(node.raw()),
                }
            }
            let Some((members, close)) = open.last_mut() else {
                break;
            };
            match members.pop() {
                Some(member) => {
                    // A string ends with its quote, so a bracket there was just opened.
                    if !out.ends_with(['[', '{']) {
                        out.push(',');
                    }
                    if let Some(key) = member.key {
                        write_string(&mut out, &key.string());
                        out.push(':');
                    }
                    current = Some(member.value);
                }
                None => {
                    out.push(*close);
                    open.pop();
                }
            }
        }
        out
    }
}

/// A string's inside without its escapes.
fn unescaped(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (character, length) = match escape.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => surrogates(escape),
            // The quote, the slash and the backslash stand for themselves.
            Some(other) => (char::from(*other), 1),
            None => ('\\', 0),
        };
        out.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What `uXXXX`, perhaps with `\uXXXX` behind it, stands for, and how long it is.
fn surrogates(escape: &str) -> (char, usize) {
    let unit = |text: &str, from: usize| -> Option<u32> {
        u32::from_str_radix(text.get(from..from + 4)?, 16).ok()
    };
    let first = unit(escape, 1).unwrap_or(0xfffd);
    if let Some(character) = char::from_u32(first) {
        return (character, 5);
    }
    let second = match escape.get(5..7) {
        Some("\\u") => unit(escape, 7),
        _ => None,
    };
    match second {
        Some(second @ 0xdc00..=0xdfff) if first < 0xdc00 => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (char::from_u32(code).unwrap_or('\u{fffd}'), 11)
        }
        _ => ('\u{fffd}', 5),
    }
}

/// Writes a text as a JSON string.
fn write_string(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The same for bytes of a text, cut at ASCII characters.
pub(super) fn unescaped_bytes(inner: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(inner).map_or(Cow::Borrowed(""), unescaped)
}
