//! Bodies in every coding, whole and damaged, and in every charset.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::codings::{decoded, named};
use super::*;
use crate::domain::check::HttpVersion;
use crate::domain::probe::{Answer, Hop};

const MIB: usize = 1024 * 1024;

/// "hello" as brotli that is not compressed.
const BROTLI: &[u8] = &[0x0b, 0x02, 0x80, b'h', b'e', b'l', b'l', b'o', 0x03];

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut coder = GzEncoder::new(Vec::new(), Compression::default());
    coder.write_all(text).unwrap();
    coder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut coder = ZlibEncoder::new(Vec::new(), Compression::default());
    coder.write_all(text).unwrap();
    coder.finish().unwrap()
}

fn raw_deflate(text: &[u8]) -> Vec<u8> {
    let mut coder = DeflateEncoder::new(Vec::new(), Compression::default());
    coder.write_all(text).unwrap();
    coder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A frame with a window descriptor and blocks of 128 KiB of one letter.
fn zstd_runs(window: u8, blocks: u32) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    for block in 1..=blocks {
        let header = u32::from(block == blocks) | 1 << 1 | (128 * 1024) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b'A');
    }
    frame
}

fn skippable(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    [
        &[0x53, 0x2a, 0x4d, 0x18][..],
        &length.to_le_bytes(),
        content,
    ]
    .concat()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// What a body decodes to, and how that ends: `whole`, `limit`, or the clause about it.
fn outcome(codings: &str, body: &[u8], is_cut: bool, max: usize) -> (Vec<u8>, String) {
    let names: Vec<String> = codings.split_terminator(' ').map(str::to_owned).collect();
    let (bytes, tail) = decoded(&names, Cow::Borrowed(body), is_cut, max);
    let end = match tail {
        Tail::Whole => "whole".to_owned(),
        Tail::Limit => "limit".to_owned(),
        Tail::Broken(why) => format!("broken: {why}"),
        Tail::Refused(why) => format!("refused: {why}"),
    };
    (bytes.into_owned(), end)
}

fn check(codings: &str, body: &[u8], want: &str, end: &str) {
    let (bytes, got) = outcome(codings, body, false, MIB);
    assert_eq!(
        (String::from_utf8_lossy(&bytes).as_ref(), got.as_str()),
        (want, end),
        "{codings}"
    );
}

#[test]
fn every_coding_is_taken_off_to_its_end() {
    for (codings, body) in [
        ("gzip", gzip(b"hello")),
        ("x-gzip", gzip(b"hello")),
        ("gzip", joined(&[&gzip(b"hel"), &gzip(b"lo")])),
        ("gzip", joined(&[&gzip(b"hello"), &gzip(b"")])),
        ("gzip", joined(&[&gzip(b"hello"), b"\n"])),
        ("gzip", joined(&[&gzip(b"hello"), b"\r\n\r\n"])),
        ("gzip", joined(&[&gzip(b"hello"), &[0; 512]])),
        ("gzip", joined(&[&gzip(b"hello"), b"<!-- cached -->"])),
        ("gzip", joined(&[&gzip(b"hello"), &[0x1f]])),
        ("gzip", joined(&[&gzip(b"hello"), &[0x1f, 0x8b]])),
        ("gzip", joined(&[&gzip(b"hello"), &[0x1f, 0x8b, 1]])),
        ("gzip", joined(&[&gzip(b"hel"), &gzip(b"lo"), b"junk"])),
        ("deflate", zlib(b"hello")),
        ("deflate", raw_deflate(b"hello")),
        ("deflate", joined(&[&zlib(b"hello"), b"\n"])),
        ("deflate", joined(&[&raw_deflate(b"hello"), b"\n"])),
        ("br", BROTLI.to_vec()),
        ("br", joined(&[BROTLI, b"\n"])),
        ("zstd", zstd(b"hello")),
        ("zstd", joined(&[&zstd(b"hel"), &zstd(b"lo")])),
        (
            "zstd",
            joined(&[
                &skippable(b"x"),
                &zstd(b"hel"),
                &skippable(b""),
                &zstd(b"lo"),
                &skippable(b"end"),
            ]),
        ),
        ("zstd", joined(&[&zstd(b"hello"), b"\n"])),
        ("gzip gzip", gzip(&gzip(b"hello"))),
        ("br gzip", gzip(BROTLI)),
        ("gzip deflate zstd", zstd(&zlib(&gzip(b"hello")))),
        ("", b"hello".to_vec()),
    ] {
        check(codings, &body, "hello", "whole");
    }
    check("gzip", b"", "", "whole");
    check("zstd", &skippable(b"x"), "", "whole");
}

#[test]
fn what_breaks_off_gives_what_it_has() {
    let text: String = (0..40_000).map(|n| format!("line {n}, ")).collect();
    for (codings, body) in [
        ("gzip", gzip(text.as_bytes())),
        ("deflate", zlib(text.as_bytes())),
        ("zstd", zstd(text.as_bytes())),
    ] {
        let part = &body[..body.len() - 9];
        let (bytes, end) = outcome(codings, part, false, MIB);
        assert!(
            text.as_bytes().starts_with(&bytes) && bytes.len() > 1000,
            "{codings}: {}",
            bytes.len()
        );
        assert_eq!(
            end,
            format!("broken: the body's {codings} coding breaks off there")
        );
        // What we did not read to its end is not broken.
        assert_eq!(outcome(codings, part, true, MIB).1, "limit", "{codings}");
    }
    let off = |coding: &str| format!("broken: the body's {coding} coding breaks off there");
    let corrupt = |coding: &str| format!("broken: the body's {coding} coding is corrupt there");
    check("br", &BROTLI[..6], "hel", &off("br"));
    check("gzip", &gzip(b"hello")[..5], "", &off("gzip"));
    check("gzip", b"hello", "", &corrupt("gzip"));
    let (_, end) = outcome("br", b"hello", false, MIB);
    assert!(end.starts_with("broken: the body's br coding"), "{end}");
    check("zstd", b"hello", "", &corrupt("zstd"));
    check("zstd", b"he", "", &off("zstd"));
    check("deflate", b"\xffhello", "", &corrupt("deflate"));
    let second = joined(&[&gzip(b"hel"), &gzip(b"lo")[..12]]);
    let (bytes, end) = outcome("gzip", &second, false, MIB);
    assert_eq!((&bytes[..3], end), (&b"hel"[..], off("gzip")));
    let second = joined(&[&zstd(b"hel"), &zstd(b"lo")[..7]]);
    check("zstd", &second, "hel", &off("zstd"));
    check(
        "zstd",
        &joined(&[&zstd(b"hel"), &skippable(b"long")[..9]]),
        "hel",
        &off("zstd"),
    );
    let mut wrong = gzip(b"hello");
    let end = wrong.len() - 6;
    wrong[end] ^= 1;
    check("gzip", &wrong, "hello", &corrupt("gzip"));
    // The coding that broke first is told.
    check("br gzip", &gzip(&BROTLI[..6]), "hel", &off("br"));
    let (_, end) = outcome("gzip br", BROTLI, false, MIB);
    assert_eq!(end, corrupt("gzip"));
}

#[test]
fn what_is_not_taken_off_is_told() {
    for (codings, body, want) in [
        (
            "gzip gzip gzip gzip",
            b"hello".to_vec(),
            "the body has 4 content codings, more than the 3 that are taken off",
        ),
        (
            "br",
            vec![0x11, 0x1e, 0x0b, 0x02, 0x80],
            "its brotli coding has a large window, which browsers refuse as well",
        ),
        (
            "zstd",
            zstd_runs(0x69, 1),
            "its zstd coding has a window of 9 MiB, more than the 8 MiB that browsers take (RFC 9659)",
        ),
        (
            "zstd",
            zstd_runs(27 << 3, 4000),
            "its zstd coding has a window of 131072 MiB, more than the 8 MiB that browsers take (RFC 9659)",
        ),
        (
            // One segment of 9 MiB.
            "zstd",
            vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0x90, 0, 3, 0, 0],
            "its zstd coding has a window of 9 MiB, more than the 8 MiB that browsers take (RFC 9659)",
        ),
        (
            "zstd",
            vec![0x28, 0xb5, 0x2f, 0xfd, 1, 0x58, 7, 1, 0, 0],
            "its zstd coding needs a dictionary",
        ),
        (
            "gzip",
            gzip(b"").repeat(4097),
            "the body is more than 4096 gzip streams",
        ),
        (
            "zstd",
            zstd(b"").repeat(4097),
            "the body is more than 4096 zstd frames",
        ),
    ] {
        let (bytes, end) = outcome(codings, &body, false, MIB);
        assert_eq!(
            (bytes.len(), end),
            (0, format!("refused: {want}")),
            "{codings}"
        );
    }
}

#[test]
fn an_unknown_coding_leaves_the_body_as_it_came() {
    let unknown =
        |coding: &str| format!("refused: the body's content coding `{coding}` is unknown");
    check("foo", b"hello", "hello", &unknown("foo"));
    check("compress", b"hello", "hello", &unknown("compress"));
    check("foo gzip", &gzip(b"hello"), "hello", &unknown("foo"));
    check("gzip foo", b"hello", "hello", &unknown("foo"));
}

#[test]
fn words_that_are_not_codings_are_passed_over() {
    for value in [
        "identity",
        "none",
        "UTF-8",
        "iso-8859-1",
        "8bit",
        "binary",
        "aws-chunked",
        "",
        " , ",
    ] {
        let mut answer = answer("text/plain", b"");
        for value in [value, "gzip, none"] {
            let field = "content-encoding".to_owned();
            answer.headers.push((field, value.as_bytes().to_vec()));
        }
        assert_eq!(named(&answer), ["gzip"], "{value}");
    }
}

#[test]
fn decoded_bytes_are_bounded() {
    let bomb = vec![b'A'; 4 * MIB];
    for (codings, body) in [
        ("gzip", gzip(&bomb)),
        ("deflate", zlib(&bomb)),
        ("deflate", raw_deflate(&bomb)),
        ("zstd", zstd_runs(0x68, 100)),
        ("zstd", zstd_runs(0x58, 100)),
        ("gzip gzip", gzip(&gzip(&bomb))),
        ("gzip", gzip(&vec![b'A'; MIB]).repeat(3)),
    ] {
        let (bytes, end) = outcome(codings, &body, false, MIB);
        assert_eq!((bytes.len(), end.as_str()), (MIB, "limit"), "{codings}");
        assert!(bytes.capacity() <= MIB, "{}", bytes.capacity());
    }
    // Exactly as much as there may be is whole.
    check("gzip", &gzip(&vec![b'A'; MIB]), &"A".repeat(MIB), "whole");
}

fn answer(content_type: &str, body: &[u8]) -> Answer {
    Answer {
        hop: Hop {
            url: "http://site.test/".into(),
            status: 200,
            location: None,
            remote_addr: None,
            took: Duration::ZERO,
        },
        http_version: HttpVersion::Http11,
        headers: vec![("content-type".into(), content_type.as_bytes().to_vec())],
        body: body.to_vec(),
        body_bytes: body.len() as u64,
        place: None,
        body_cut: false,
        retry_after_s: None,
        credentials_dropped: false,
    }
}

fn coded(label: &str, text: &str) -> Vec<u8> {
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
    encoding.encode(text).0.into_owned()
}

/// Whether the words of a body are found, by its bytes and by a pattern.
fn finds(content_type: &str, body: &[u8], words: &str) -> (bool, bool) {
    let content = Content::of(&mut answer(content_type, body), MIB);
    let pattern = regex::Regex::new(&regex::escape(words)).unwrap();
    (
        content.contains(words),
        content.readings().any(|text| pattern.is_match(text)),
    )
}

#[test]
fn a_body_is_read_in_its_charset() {
    let words = "\u{421}\u{430}\u{439}\u{442}";
    let in_1251 = |head: &str| coded("windows-1251", &format!("{head}{words}"));
    for (content_type, body) in [
        ("text/html; charset=windows-1251", in_1251("")),
        ("text/plain; charset=windows-1251", in_1251("")),
        ("text/html", in_1251("<meta charset=windows-1251>")),
        ("TEXT/HTML", in_1251("<meta charset=windows-1251>")),
        (
            "text/html; charset=none",
            in_1251("<meta charset=windows-1251>"),
        ),
        ("", in_1251("<html><meta charset=windows-1251>")),
        (
            "text/html",
            in_1251(
                "<!-- charset --><meta http-equiv=content-type content='a; charset=windows-1251'>",
            ),
        ),
        (
            "application/rss+xml",
            in_1251("<?xml version='1.0' encoding='windows-1251'?>"),
        ),
        (
            "text/xml",
            in_1251("<?xml version='1.0' encoding='windows-1251'?>"),
        ),
        (
            "application/octet-stream",
            in_1251("<?xml version='1.0' encoding='windows-1251'?>"),
        ),
        (
            "text/html",
            in_1251("<?xml version='1.0' encoding='windows-1251'?><html>"),
        ),
        (
            "text/html",
            format!("<meta charset=utf-16>{words}").into_bytes(),
        ),
        (
            "text/html",
            format!("<html data-charset=utf-16le>{words}").into_bytes(),
        ),
        // A page that is UTF-8 and says something else.
        (
            "text/html",
            format!("<meta charset=windows-1251>{words}").into_bytes(),
        ),
        ("text/html; charset=iso-8859-1", words.as_bytes().to_vec()),
        ("text/html; charset=utf-16", words.as_bytes().to_vec()),
        ("text/plain", format!("\u{feff}{words}").into_bytes()),
        (
            "text/plain; charset=windows-1251",
            format!("\u{feff}{words}").into_bytes(),
        ),
    ] {
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(
            finds(content_type, &body, words),
            (true, true),
            "{content_type} {shown}"
        );
        assert_eq!(
            finds(content_type, &body, "\u{43d}\u{435}\u{442}"),
            (false, false),
            "{shown}"
        );
    }
    let utf16: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = [&[0xfe, 0xff][..], &utf16].concat();
    assert_eq!(finds("text/plain", &marked, words), (true, true));
    let unmarked: Vec<u8> = "ok".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(
        finds("text/plain; charset=utf-16", &unmarked, "ok"),
        (true, true)
    );
    // Anchors stand behind the mark.
    let content = Content::of(&mut answer("text/plain", b"\xef\xbb\xbfOK"), MIB);
    assert_eq!(content.text(), "OK");
    // Neither markup nor a declaration: what is no UTF-8 stays what it is.
    let content = Content::of(&mut answer("application/json", b"K\xf6ln"), MIB);
    assert_eq!(content.text(), "K\u{fffd}ln");
    let content = Content::of(&mut answer("text/html", b"K\xf6ln"), MIB);
    assert_eq!(content.text(), "K\u{f6}ln");
}

#[test]
fn a_text_that_grows_is_bounded() {
    // Each byte becomes three.
    let body = vec![0x80; 20 * MIB];
    let mut long = answer("text/plain; charset=windows-1252", &body);
    let content = Content::of(&mut long, 20 * MIB);
    assert!(content.contains("\u{20ac}\u{20ac}"));
    let most = 2 * 20 * MIB + 32 * MIB;
    assert!(content.len() + content.text().len() <= most);
    assert_eq!(content.tail(), Tail::Limit);
}
