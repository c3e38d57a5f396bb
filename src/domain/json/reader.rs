//! Reads a JSON text. Without recursion, so that no depth of it can exhaust a stack.

use super::document::{Entry, KEY, SHADOWED};

/// Arrays and objects within each other. Browsers read deeper ones, and no service sends them.
const DEPTH_MAX: usize = 10_000;

/// Two bits of a place in the text are marks.
const TEXT_BYTES_MAX: usize = (1 << 30) - 1;

/// Why a text was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// It is no JSON from this byte on.
    Syntax(usize),
    /// It is nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// It has more values than were allowed.
    TooManyValues(usize),
    /// It is longer than [`TEXT_BYTES_MAX`].
    TooLong,
}

impl JsonFault {
    /// One clause about `text`, which fits after "the body".
    pub fn told(self, text: &str) -> String {
        match self {
            Self::Syntax(at) => {
                let before = text.get(..at).unwrap_or(text);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default();
                format!(
                    "is not JSON (line {line}, column {})",
                    column.chars().count() + 1
                )
            }
            Self::TooDeep => format!("is JSON nested deeper than {DEPTH_MAX} levels"),
            Self::TooManyValues(most) => format!("is JSON with more than {most} values"),
            Self::TooLong => {
                format!("is longer than the {TEXT_BYTES_MAX} bytes that are read as JSON")
            }
        }
    }
}

/// A text on its way to entries.
pub(super) struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    entries: Vec<Entry>,
    /// The arrays and objects around the place that is read.
    open: Vec<u32>,
    /// The names of one object, to find those that come again.
    keys: Vec<u32>,
    values_max: usize,
}

impl<'t> Reader<'t> {
    pub(super) const fn new(text: &'t str, values_max: usize) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            entries: Vec::new(),
            open: Vec::new(),
            keys: Vec::new(),
            values_max,
        }
    }

    pub(super) fn read(mut self) -> Result<Vec<Entry>, JsonFault> {
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(JsonFault::TooLong);
        }
        self.space();
        loop {
            if self.begin_value()? {
                continue;
            }
            // A value is complete. The array or object around it continues, or is complete too.
            loop {
                self.space();
                let Some(&around) = self.open.last() else {
                    return match self.at == self.text.len() {
                        true => Ok(self.entries),
                        false => self.wrong(),
                    };
                };
                let is_object = self.is_object(around);
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if is_object => self.close(),
                    Some(b']') if !is_object => self.close(),
                    _ => return self.wrong(),
                }
            }
        }
    }

    const fn wrong<T>(&self) -> Result<T, JsonFault> {
        Err(JsonFault::Syntax(self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn is_object(&self, index: u32) -> bool {
        self.text[self.entries[index as usize].at()] == b'{'
    }

    fn push(&mut self, start: usize, marks: u32, end: usize) -> Result<(), JsonFault> {
        if self.entries.len() >= self.values_max || self.entries.try_reserve(1).is_err() {
            return Err(JsonFault::TooManyValues(self.entries.len()));
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.entries.push(Entry {
            start: place(start) | marks,
            end: place(end),
        });
        Ok(())
    }

    /// Reads a value, or opens one that holds others: then the first of those comes next.
    fn begin_value(&mut self) -> Result<bool, JsonFault> {
        let start = self.at;
        match self.peek() {
            Some(open @ (b'{' | b'[')) => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(JsonFault::TooDeep);
                }
                self.push(start, 0, 0)?;
                let index = u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX);
                self.open.push(index);
                self.at += 1;
                self.space();
                match (open, self.peek()) {
                    (b'{', Some(b'}')) | (b'[', Some(b']')) => {
                        self.close();
                        return Ok(false);
                    }
                    (b'{', _) => self.key()?,
                    _ => {}
                }
                return Ok(true);
            }
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            _ => return self.wrong(),
        }
        self.push(start, 0, self.at)?;
        Ok(false)
    }

    fn close(&mut self) {
        self.at += 1;
        let Some(index) = self.open.pop() else { return };
        self.entries[index as usize].end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if self.is_object(index) {
            self.shadow(index);
        }
    }

    fn key(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return self.wrong();
        }
        self.string()?;
        self.push(start, KEY, self.at)?;
        self.space();
        if self.peek() != Some(b':') {
            return self.wrong();
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                            self.at += 1
                        }
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return self.wrong();
                                }
                                self.at += 1;
                            }
                        }
                        _ => return self.wrong(),
                    }
                }
                Some(byte) if byte >= b' ' => self.at += 1,
                _ => return self.wrong(),
            }
        }
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        match self.at > from {
            true => Ok(()),
            false => self.wrong(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonFault> {
        match self.text[self.at..].starts_with(word) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => self.wrong(),
        }
    }

    /// Marks the names of an object that come again later in it.
    fn shadow(&mut self, object: u32) {
        let end = self.entries[object as usize].end;
        self.keys.clear();
        let mut index = object + 1;
        while index < end {
            self.keys.push(index);
            let value = self.entries[index as usize + 1];
            index = match self.text[value.at()] {
                b'{' | b'[' => value.end,
                _ => index + 2,
            };
        }
        if self.keys.len() < 2 {
            return;
        }
        let text = self.text;
        let entries = &self.entries;
        let name = |index: u32| {
            let entry = entries[index as usize];
            let raw = &text[entry.at() + 1..entry.end as usize - 1];
            (raw, raw.contains(&b'\\'))
        };
        let order = |a: &u32, b: &u32| match (name(*a), name(*b)) {
            ((a, false), (b, false)) => a.cmp(b),
            ((a, _), (b, _)) => {
                super::document::unescaped_bytes(a).cmp(&super::document::unescaped_bytes(b))
            }
        };
        self.keys
            .sort_unstable_by(|a, b| order(a, b).then(a.cmp(b)));
        let again: Vec<u32> = self
            .keys
            .windows(2)
            .filter(|pair| order(&pair[0], &pair[1]).is_eq())
            .map(|pair| pair[0])
            .collect();
        for index in again {
            self.entries[index as usize].start |= SHADOWED;
        }
    }
}
