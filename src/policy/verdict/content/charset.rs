//! Finds out in which charset a body is, as browsers do.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

use crate::domain::probe::Answer;

/// A page's own word is looked for in this many first bytes (WHATWG HTML, section 13.2.3.2).
const PRESCAN_BYTES: usize = 1024;

/// The charset of a body: a byte order mark, the Content-Type, the page's own word, UTF-8.
pub(crate) fn of(answer: &Answer, bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    let content_type = answer.header("content-type").unwrap_or_default();
    if let Some(encoding) = parameter(&content_type) {
        // Without a mark UTF-16 may begin with either half of a character; texts begin with one below 256.
        let is_swapped = encoding == UTF_16LE && matches!(bytes, [0, low, ..] if *low != 0);
        return if is_swapped { UTF_16BE } else { encoding };
    }
    let media = content_type.split(';').next().unwrap_or_default();
    let media = media.trim().to_ascii_lowercase();
    let head = &bytes[..bytes.len().min(PRESCAN_BYTES)];
    let is_xml = media.ends_with("/xml") || media.ends_with("+xml") || media.ends_with("/xsl");
    let is_html = media == "text/html"
        || media == "application/xhtml+xml"
        || (media.is_empty() && head.trim_ascii_start().starts_with(b"<"));
    let declared = if is_xml && !is_html {
        declaration(head)
    } else if is_html {
        meta(head).or_else(|| declaration(head))
    } else {
        declaration(head)
    };
    match declared {
        Some(encoding) => encoding,
        None if (is_html || is_xml) && std::str::from_utf8(bytes).is_err() => WINDOWS_1252,
        None => UTF_8,
    }
}

/// The charset of a Content-Type (RFC 9110 section 8.3.1), if it is one that exists.
fn parameter(content_type: &str) -> Option<&'static Encoding> {
    let mut rest = content_type;
    while let Some((_, behind)) = rest.split_once(';') {
        let (name, value) = match behind.find(['=', ';']) {
            Some(at) if behind.as_bytes()[at] == b'=' => behind.split_at(at),
            Some(at) => {
                rest = &behind[at..];
                continue;
            }
            None => return None,
        };
        let value = value[1..].trim_start();
        let (word, behind) = match value.strip_prefix(['"', '\'']) {
            Some(quoted) => {
                let quote = value.chars().next().unwrap_or('"');
                quoted.split_once(quote).unwrap_or((quoted, ""))
            }
            None => value.split_at(value.find([';', ',']).unwrap_or(value.len())),
        };
        if name.trim().eq_ignore_ascii_case("charset")
            && let Some(encoding) = Encoding::for_label(word.trim().as_bytes())
        {
            return Some(encoding);
        }
        rest = behind;
    }
    None
}

/// What a page's own word means: it was read as ASCII, so UTF-16 it cannot be.
fn own(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label(label).map(|encoding| {
        if encoding == UTF_16LE || encoding == UTF_16BE {
            UTF_8
        } else if encoding == X_USER_DEFINED {
            WINDOWS_1252
        } else {
            encoding
        }
    })
}

/// The encoding of an XML declaration (XML 1.0 section 4.3.3), and UTF-16 where the declaration is written in it.
fn declaration(head: &[u8]) -> Option<&'static Encoding> {
    if head.starts_with(b"<\0?\0x\0") {
        return Some(UTF_16LE);
    }
    if head.starts_with(b"\0<\0?\0x") {
        return Some(UTF_16BE);
    }
    let inner = head.strip_prefix(b"<?xml")?;
    let inner = &inner[..position(inner, b"?>").or_else(|| position(inner, b">"))?];
    let mut at = 0;
    while let Some(found) = position(&inner[at..], b"encoding") {
        let before = inner[..at + found].last();
        at += found + b"encoding".len();
        let value = inner[at..].trim_ascii_start().strip_prefix(b"=");
        let value = value.map(<[u8]>::trim_ascii_start);
        if let (Some(b' ' | b'\t' | b'\r' | b'\n'), Some([quote @ (b'"' | b'\''), rest @ ..])) =
            (before, value)
        {
            let end = rest.iter().position(|byte| byte == quote)?;
            return own(&rest[..end]);
        }
    }
    None
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// The charset of a page's `<meta>`: the prescan of the HTML standard.
fn meta(head: &[u8]) -> Option<&'static Encoding> {
    let mut scan = Scan { head, at: 0 };
    while scan.at < head.len() {
        let rest = &head[scan.at..];
        if rest.starts_with(b"<!--") {
            // `<!-->` is a whole comment.
            let inner = rest.get(2..).unwrap_or_default();
            scan.at += 2 + position(inner, b"-->")? + 3;
            continue;
        }
        let is_tag = |name: &[u8]| {
            rest.len() > name.len()
                && rest[..name.len()].eq_ignore_ascii_case(name)
                && (is_space(rest[name.len()]) || rest[name.len()] == b'/')
        };
        if is_tag(b"<meta") {
            scan.at += b"<meta".len();
            if let Some(encoding) = scan.meta() {
                return Some(encoding);
            }
            continue;
        }
        match rest {
            [b'<', b'/', letter, ..] | [b'<', letter, ..] if letter.is_ascii_alphabetic() => {
                let name = rest
                    .iter()
                    .position(|byte| is_space(*byte) || *byte == b'>');
                scan.at += name?;
                while scan.attribute().is_some() {}
            }
            [b'<', b'!' | b'/' | b'?', ..] => scan.at += position(rest, b">")? + 1,
            _ => scan.at += 1,
        }
    }
    None
}

/// The first bytes of a page, and where in them we are.
struct Scan<'h> {
    head: &'h [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.head.get(self.at).copied()
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&is_skipped) {
            self.at += 1;
        }
    }

    /// The charset that the attributes of one `<meta>` give.
    fn meta(&mut self) -> Option<&'static Encoding> {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        let mut is_pragma = false;
        let mut needs_pragma = None;
        let mut charset = None;
        while let Some((name, value)) = self.attribute() {
            if seen.contains(&name) {
                continue;
            }
            match name.as_slice() {
                b"http-equiv" => is_pragma |= value == b"content-type",
                b"content" if charset.is_none() => {
                    if let Some(encoding) = of_content(&value) {
                        charset = Some(encoding);
                        needs_pragma = Some(true);
                    }
                }
                b"charset" => {
                    charset = own(&value);
                    needs_pragma = Some(false);
                }
                _ => {}
            }
            seen.push(name);
        }
        charset.filter(|_| match needs_pragma {
            Some(needs_pragma) => is_pragma || !needs_pragma,
            None => false,
        })
    }

    /// The next attribute of a tag in small letters; none at the tag's end.
    fn attribute(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.skip(|byte| is_space(byte) || byte == b'/');
        if self.peek()? == b'>' {
            self.at += 1;
            return None;
        }
        let from = self.at;
        // A name may begin with `=`.
        self.at += 1;
        self.skip(|byte| !is_space(byte) && !matches!(byte, b'=' | b'/' | b'>'));
        let name = self.head[from..self.at].to_ascii_lowercase();
        self.skip(is_space);
        if self.peek() != Some(b'=') {
            return Some((name, Vec::new()));
        }
        self.at += 1;
        self.skip(is_space);
        let value = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let from = self.at;
                self.skip(|byte| byte != quote);
                let value = self.head[from..self.at].to_ascii_lowercase();
                // A value that the first bytes do not end is none.
                self.peek()?;
                self.at += 1;
                value
            }
            _ => {
                let from = self.at;
                self.skip(|byte| !is_space(byte) && byte != b'>');
                self.head[from..self.at].to_ascii_lowercase()
            }
        };
        Some((name, value))
    }
}

/// The charset in the `content` of a `<meta http-equiv>`, in small letters.
fn of_content(content: &[u8]) -> Option<&'static Encoding> {
    let mut rest = content;
    loop {
        rest = &rest[position(rest, b"charset")? + b"charset".len()..];
        let value = rest.trim_ascii_start();
        let Some(value) = value.strip_prefix(b"=") else {
            continue;
        };
        let value = value.trim_ascii_start();
        let label = match value {
            [quote @ (b'"' | b'\''), quoted @ ..] => {
                &quoted[..quoted.iter().position(|byte| byte == quote)?]
            }
            _ => {
                let end = value
                    .iter()
                    .position(|byte| is_space(*byte) || *byte == b';');
                &value[..end.unwrap_or(value.len())]
            }
        };
        return own(label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_its_charset_in_a_meta_alone() {
        for (page, want) in [
            ("<meta charset=windows-1251>", "windows-1251"),
            ("<META CHARSET = 'Windows-1251' />", "windows-1251"),
            ("<meta name=x charset=\"koi8-r\">", "KOI8-R"),
            (
                "<meta http-equiv=Content-Type content=\"text/html; charset=windows-1251\">",
                "windows-1251",
            ),
            (
                "<meta content='text/html;charset=\"koi8-u\"' http-equiv='content-type'>",
                "KOI8-U",
            ),
            ("<meta content='text/html; charset=koi8-u'>", ""),
            ("<meta http-equiv=refresh content='0; charset=koi8-u'>", ""),
            (
                "<meta http-equiv=content-type content='charset charset=koi8-u'>",
                "KOI8-U",
            ),
            ("<meta charset=utf-16>", "UTF-8"),
            ("<meta charset=utf-16be>", "UTF-8"),
            ("<meta charset=x-user-defined>", "windows-1252"),
            ("<meta charset=none><meta charset=gbk>", "GBK"),
            ("<meta charset=gbk charset=koi8-r>", "GBK"),
            ("<!-- <meta charset=gbk> --><meta charset=koi8-r>", "KOI8-R"),
            ("<!-- charset note --><meta charset=koi8-r>", "KOI8-R"),
            ("<!--><meta charset=koi8-r>", "KOI8-R"),
            ("<!-- never closed <meta charset=koi8-r>", ""),
            ("<html data-charset=utf-16le>", ""),
            ("<body title='charset=koi8-r'>", ""),
            (
                "<a title='<meta charset=gbk>'><meta charset=koi8-r>",
                "KOI8-R",
            ),
            (
                "<!doctype html><p>charset=gbk<meta/charset=koi8-r>",
                "KOI8-R",
            ),
            ("<metadata charset=gbk>", ""),
            (
                "</p charset=gbk><? charset=gbk ?><meta charset=koi8-r>",
                "KOI8-R",
            ),
            ("<meta charset", ""),
            ("<meta charset='gbk", ""),
        ] {
            let got = meta(page.as_bytes()).map_or("", Encoding::name);
            assert_eq!(got, want, "{page}");
        }
    }

    #[test]
    fn xml_says_it_in_its_declaration() {
        for (page, want) in [
            (
                "<?xml version=\"1.0\" encoding=\"windows-1251\"?>",
                "windows-1251",
            ),
            (
                "<?xml version='1.0' encoding = 'KOI8-R' standalone='yes'?>",
                "KOI8-R",
            ),
            ("<?xml encoding='gbk'?>", "GBK"),
            ("<?xml version='1.0' encoding='UTF-16'?>", "UTF-8"),
            ("<?xml version='encoding' encoding='gbk'?>", "GBK"),
            ("<?xml version='1.0'?><a encoding='gbk'/>", ""),
            (" <?xml version='1.0' encoding='gbk'?>", ""),
            ("<?xml version='1.0' xencoding='gbk'?>", ""),
            ("<\0?\0x\0m\0l\0", "UTF-16LE"),
            ("\0<\0?\0x\0m\0l", "UTF-16BE"),
        ] {
            let got = declaration(page.as_bytes()).map_or("", Encoding::name);
            assert_eq!(got, want, "{page}");
        }
    }

    #[test]
    fn a_content_type_says_it_in_a_parameter_of_that_name() {
        for (text, want) in [
            ("text/html; charset=windows-1251", "windows-1251"),
            ("text/html;CHARSET=\"Shift_JIS\"", "Shift_JIS"),
            ("text/html; charset = 'koi8-r'", "KOI8-R"),
            ("text/html; x-charset=gbk", ""),
            ("text/html; title=\"charset=gbk\"; charset=koi8-r", "KOI8-R"),
            ("text/html; charset=none", ""),
            ("text/html; charset", ""),
            ("text/html; charset=none; charset=gbk", "GBK"),
            ("charset=gbk", ""),
            ("text/html; charset=gbk, text/html", "GBK"),
            ("", ""),
        ] {
            let got = parameter(text).map_or("", Encoding::name);
            assert_eq!(got, want, "{text}");
        }
    }
}
