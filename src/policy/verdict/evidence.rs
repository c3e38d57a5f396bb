//! What is kept of an answer: taken out of a probe where it was judged, and made fit to be stored where there is time.

use std::borrow::Cow;

use super::content::{Content, Tail, codings, decoded};
use crate::domain::check::Check;
use crate::domain::evidence::{
    BODY_BYTES_MAX, Evidence, GOOD_BODY_BYTES_MAX, Head, Keep, KeptBody, RawEvidence, RawHead,
};
use crate::domain::observed::{Observed, SocketEnd};
use crate::domain::probe::{Answer, End, Hop, Probe};
use crate::domain::redaction::{Masks, STARS};
use crate::domain::safe_text;
use crate::domain::subject::Subject;
use crate::domain::text_secrets;

/// A body that came is moved, unless its buffer is larger than this: then its beginning is copied.
const MOVED_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;

/// So many characters are kept of one header field. More is a cookie or a policy, and no longer read by people.
const FIELD_CHARS_MAX: usize = 4 * 1024;

/// A value of a cookie is a secret wherever it stands from this length on; a shorter one is often a word.
const COOKIE_CHARS_MIN: usize = 8;

/// So many values of cookies are looked for in a body.
const COOKIES_MAX: usize = 64;

/// What an assertion read of a body.
#[derive(Debug)]
pub(super) struct ReadBody {
    bytes: Vec<u8>,
    is_cut: bool,
}

/// Whether anything of an answer is kept.
pub(super) const fn is_kept(keep: Keep, is_bad: bool) -> bool {
    match keep {
        Keep::Nothing => false,
        Keep::Failing => is_bad,
        Keep::Good => true,
    }
}

/// The beginning of a body that was decoded.
pub(super) fn read(content: &Content, is_bad: bool) -> ReadBody {
    let limit = limit(is_bad);
    ReadBody {
        bytes: content.first(limit).to_vec(),
        is_cut: content.len() > limit || content.tail() == Tail::Limit,
    }
}

const fn limit(is_bad: bool) -> usize {
    match is_bad {
        true => BODY_BYTES_MAX,
        false => GOOD_BODY_BYTES_MAX,
    }
}

/// Takes out of a probe what is kept of it.
pub(super) fn of(
    probe: &mut Probe,
    read: Option<ReadBody>,
    is_bad: bool,
    masks: &Masks,
) -> RawEvidence {
    let mut kept = RawEvidence {
        heads: std::mem::take(&mut probe.heads),
        body: Vec::new(),
        is_decoded: read.is_some(),
        is_cut: false,
        body_bytes: 0,
        masks: masks.clone(),
    };
    let answer = match &mut probe.end {
        End::Answered(answer) => answer,
        End::Failed {
            header: Some(answer),
            ..
        } => answer,
        End::Failed { header: None, .. } | End::Refused { .. } => return kept,
    };
    kept.body_bytes = answer.body_bytes;
    (kept.body, kept.is_cut) = match read {
        Some(read) => (read.bytes, read.is_cut),
        None => {
            let is_cut = answer.body_cut || answer.body_bytes > answer.body.len() as u64;
            beginning(&mut answer.body, is_cut, limit(is_bad))
        }
    };
    kept.heads.push(RawHead {
        url: answer.hop.url.clone(),
        status: answer.hop.status,
        http_version: answer.http_version,
        fields: std::mem::take(&mut answer.headers),
    });
    kept
}

fn beginning(body: &mut Vec<u8>, is_cut: bool, limit: usize) -> (Vec<u8>, bool) {
    let is_cut = is_cut || body.len() > limit;
    if body.capacity() > MOVED_BYTES_MAX {
        return (body[..body.len().min(limit)].to_vec(), is_cut);
    }
    body.truncate(limit);
    (std::mem::take(body), is_cut)
}

/// What is kept of a check that is not of HTTP: what a server said; of a ping and of a question nothing beside the
/// check itself.
pub fn of_other_kinds(subject: &Subject, observed: &Observed, keep: Keep) -> Option<RawEvidence> {
    let mut kept = RawEvidence {
        heads: Vec::new(),
        body: Vec::new(),
        is_decoded: true,
        is_cut: false,
        body_bytes: 0,
        masks: subject.masks().clone(),
    };
    match (observed, keep) {
        (_, Keep::Nothing) | (Observed::Http(_), _) => return None,
        (Observed::Socket(probe), Keep::Failing | Keep::Good) => {
            let is_bad = probe.end != SocketEnd::Met;
            if !is_kept(keep, is_bad) {
                return None;
            }
            let limit = limit(is_bad).min(probe.heard.len());
            probe.heard[..limit].clone_into(&mut kept.body);
            kept.body_bytes = probe.heard_bytes;
            kept.is_cut = probe.heard_bytes > limit as u64;
        }
        (Observed::Pings(_) | Observed::Answers(_), Keep::Failing) => {}
        // There is nothing to compare with.
        (Observed::Pings(_) | Observed::Answers(_), Keep::Good) => return None,
    }
    Some(kept)
}

/// Makes evidence fit to be stored: decoded, as text where it is one, without secrets. It takes milliseconds, and more
/// where a site wants it so: not for the thread that starts checks.
pub fn fit(raw: RawEvidence, check: &Check) -> Evidence {
    let masks = &raw.masks.and(cookies(&raw.heads));
    let limit = limit(!check.verdict.is_good());
    let heads = raw.heads.iter().map(|raw| head(raw, masks)).collect();
    let mut truncated = raw.is_cut;
    let last = raw.heads.into_iter().next_back();
    let answer = as_answer(last, raw.body, raw.is_cut);
    let body = match decoded_body(answer, raw.is_decoded, limit, &mut truncated) {
        Some(answer) if !answer.body.is_empty() => body(answer, truncated, masks),
        Some(_) => None,
        None => {
            truncated = true;
            None
        }
    };
    Evidence {
        heads,
        body,
        body_bytes: raw.body_bytes,
        truncated,
    }
}

/// An answer as the functions that read one want it.
fn as_answer(head: Option<RawHead>, body: Vec<u8>, body_cut: bool) -> Answer {
    let head = head.unwrap_or(RawHead {
        url: String::new(),
        status: 0,
        http_version: crate::domain::check::HttpVersion::Http11,
        fields: Vec::new(),
    });
    Answer {
        hop: Hop {
            url: head.url,
            status: head.status,
            location: None,
            remote_addr: None,
            took: std::time::Duration::ZERO,
        },
        http_version: head.http_version,
        headers: head.fields,
        body,
        place: None,
        body_bytes: 0,
        body_cut,
        retry_after_s: None,
        credentials_dropped: false,
    }
}

/// The answer with its content codings taken off; `None` where that is not possible: secrets in it cannot be found.
fn decoded_body(
    mut answer: Answer,
    is_decoded: bool,
    limit: usize,
    truncated: &mut bool,
) -> Option<Answer> {
    let names = codings(&answer);
    if is_decoded || names.is_empty() || answer.body.is_empty() {
        return Some(answer);
    }
    let body = std::mem::take(&mut answer.body);
    let (plain, tail) = decoded(&names, Cow::Owned(body), answer.body_cut, limit);
    match tail {
        Tail::Whole => {}
        Tail::Limit | Tail::Broken(_) => *truncated = true,
        Tail::Refused(_) => return None,
    }
    answer.body = plain.into_owned();
    answer.body.truncate(limit);
    Some(answer)
}

fn body(answer: Answer, is_cut: bool, masks: &Masks) -> Option<KeptBody> {
    let cut = |text: &str| match is_cut {
        true => masks.apply_to_beginning(text).into_owned(),
        false => masks.apply(text).into_owned(),
    };
    let content = Content::part(&answer, answer.body.clone());
    let text = content.text();
    if is_text(text, is_cut) {
        return Some(KeptBody::Text(
            text_secrets::starred(&cut(text)).into_owned(),
        ));
    }
    // Secrets among other bytes are written in ASCII as well.
    let bytes = masks.apply_to_bytes(&answer.body);
    let one_for_one: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let starred = text_secrets::starred(&one_for_one);
    // Every character is one of the bytes, or a star.
    let bytes = starred.chars().filter_map(|c| u8::try_from(c).ok());
    Some(KeptBody::Bytes(bytes.collect()))
}

/// Whether a text is one: hardly any character has no meaning in its charset, and none is that no text holds.
fn is_text(text: &str, is_cut: bool) -> bool {
    let unknown = text
        .chars()
        .filter(|c| *c == char::REPLACEMENT_CHARACTER)
        .count();
    // The last one may have been cut.
    let allowed = text.len() / 1024 + usize::from(is_cut);
    !text.contains('\0') && unknown <= allowed
}

fn head(raw: &RawHead, masks: &Masks) -> Head {
    let fields = raw.fields.iter().map(|(name, value)| {
        let shown = value_shown(name, &String::from_utf8_lossy(value), masks);
        (safe_text::line(name, 200).into_owned(), shown)
    });
    Head {
        url: text_secrets::starred(&masks.apply(&raw.url)).into_owned(),
        status: raw.status,
        http_version: raw.http_version,
        fields: fields.collect(),
    }
}

fn value_shown(name: &str, value: &str, masks: &Masks) -> String {
    if name.eq_ignore_ascii_case("set-cookie") {
        // The name says which cookie it is.
        return match cookie(value) {
            Some((name, _)) => format!("{}={STARS}", masks.apply(name)),
            None => STARS.to_owned(),
        };
    }
    if text_secrets::is_secret_field(name) {
        return STARS.to_owned();
    }
    let masked = masks.apply(value);
    let line = safe_text::line(&masked, FIELD_CHARS_MAX);
    // Again: white space was joined, and the end may be missing.
    text_secrets::starred(&masks.apply(&line)).into_owned()
}

/// Name and value of a Set-Cookie, where its name is a word (RFC 6265 section 4.1.1).
fn cookie(field: &str) -> Option<(&str, &str)> {
    let pair = field.split(';').next().unwrap_or_default();
    let (name, value) = pair.split_once('=')?;
    let name = name.trim();
    let is_word = !name.is_empty()
        && name.len() <= 40
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_word.then_some((name, value.trim()))
}

/// The values of the cookies that were set: a page may repeat them.
fn cookies(heads: &[RawHead]) -> Vec<String> {
    let fields = heads.iter().flat_map(|head| &head.fields);
    let set = fields.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let values = set.filter_map(|(_, value)| {
        let value = String::from_utf8_lossy(value);
        let (_, value) = value.split(';').next()?.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (value.len() >= COOKIE_CHARS_MIN).then(|| value.to_owned())
    });
    values.take(COOKIES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::domain::check::{Chain, Failure, FailureKind, HttpVersion, Timings, Verdict};
    use crate::domain::timestamp::Timestamp;

    fn down() -> Check {
        Check {
            at: Timestamp::from_ms(1_795_377_600_000),
            verdict: Verdict::Down(Failure {
                kind: FailureKind::Status,
                detail: "503".into(),
            }),
            status: Some(503),
            chain: Arc::new(Chain::default()),
            redirect_times: Box::default(),
            timings: Timings::default(),
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }
    }

    fn raw(fields: &[(&str, &str)], body: &[u8], masks: &[&str]) -> RawEvidence {
        RawEvidence {
            heads: vec![RawHead {
                url: "https://a.test/".to_owned(),
                status: 503,
                http_version: HttpVersion::Http11,
                fields: fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                    .collect(),
            }],
            body: body[..body.len().min(BODY_BYTES_MAX)].to_vec(),
            is_decoded: false,
            is_cut: body.len() > BODY_BYTES_MAX,
            body_bytes: body.len() as u64,
            masks: Masks::new(masks.iter().map(|secret| (*secret).to_owned())),
        }
    }

    fn gzipped(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn text_of(evidence: &Evidence) -> &str {
        match &evidence.body {
            Some(KeptBody::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bodies_are_decoded_and_others_are_kept_as_bytes() {
        let plain = raw(
            &[("content-encoding", "gzip")],
            &gzipped(b"no database"),
            &[],
        );
        assert_eq!(text_of(&fit(plain, &down())), "no database");
        let latin = raw(
            &[("content-type", "text/plain; charset=iso-8859-1")],
            b"caf\xe9",
            &[],
        );
        assert_eq!(text_of(&fit(latin, &down())), "caf\u{e9}");
        let image = raw(
            &[("content-type", "image/png")],
            b"\x89PNG\0\xff\xfe hush-hush \0",
            &["hush-hush"],
        );
        assert_eq!(
            fit(image, &down()).body,
            Some(KeptBody::Bytes(b"\x89PNG\0\xff\xfe *** \0".to_vec()))
        );
        // What cannot be looked through is not kept.
        let unknown = raw(&[("content-encoding", "secretzip")], b"hush-hush", &[]);
        let unknown = fit(unknown, &down());
        assert_eq!(
            (unknown.body, unknown.truncated, unknown.body_bytes),
            (None, true, 9)
        );
        let none = fit(raw(&[], b"", &[]), &down());
        assert_eq!((none.body, none.truncated), (None, false));
    }

    #[test]
    fn a_secret_at_the_end_of_what_is_kept_is_not_kept_in_part() {
        for cut in 1..12 {
            let mut body = vec![b'x'; BODY_BYTES_MAX - cut];
            body.extend_from_slice(b" hush-hush-hush and more");
            let kept = fit(raw(&[], &body, &["hush-hush-hush"]), &down());
            assert!(kept.truncated);
            assert!(!text_of(&kept).contains("hush"), "{cut}");
        }
    }

    /// A generator that gives the same numbers everywhere (Knuth's MMIX).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }

        fn secret(&mut self) -> String {
            let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
            (0..8 + self.below(24))
                .map(|_| char::from(letters[self.below(letters.len())]))
                .collect()
        }
    }

    /// So many answers; with `SITEWATCH_HOSTILE=25000`, which wants an optimised build, 100 000.
    #[expect(clippy::disallowed_methods, reason = "the length of this test alone")]
    fn answers() -> usize {
        let asked = std::env::var("SITEWATCH_HOSTILE");
        asked.map_or(5_000, |count| 4 * count.parse::<usize>().expect("a number"))
    }

    #[test]
    fn no_secret_is_kept_of_thousands_of_answers() {
        let mut dice = Dice(1);
        for round in 0..answers() {
            let secrets: Vec<String> = (0..7).map(|_| dice.secret()).collect();
            let [named, cookie, query, login, api, password, signed] = &secrets[..] else {
                unreachable!();
            };
            let fields = [
                ("set-cookie", format!("sid={cookie}; Path=/; HttpOnly")),
                ("authorization", format!("Basic {login}")),
                ("x-api-key", api.clone()),
                (
                    "location",
                    format!("https://u:{password}@b.test/?access_token={query}&x=1"),
                ),
                ("x-debug", format!("got {named}")),
            ];
            let pieces = [
                format!("you sent {named} to us\n"),
                format!("Cookie: sid={cookie}\n"),
                format!("<a href='/next?token={query}&amp;page=2'>next</a>\n"),
                format!("Authorization: Bearer {login}\n"),
                format!("{{\"api_key\": \"{api}\", \"n\": 1}}\n"),
                format!("mysql://root:{password}@db:3306/shop\n"),
                format!("eyJ{signed}abcdefgh.{query}.{login}\n"),
                format!("<input type=hidden name=csrf_token value=\"{api}\">\n"),
                "a line without any\n".repeat(1 + dice.below(40)),
            ];
            let mut body = String::new();
            for _ in 0..1 + dice.below(12) {
                body.push_str(&pieces[dice.below(pieces.len())]);
            }
            let is_zipped = dice.below(3) == 0;
            let mut bytes = body.into_bytes();
            let mut all: Vec<(&str, &str)> = fields
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            match dice.below(4) {
                0 => bytes.push(0),
                1 => all.push(("content-type", "text/html; charset=windows-1252")),
                _ => {}
            }
            if is_zipped {
                bytes = gzipped(&bytes);
                all.push(("content-encoding", "gzip"));
            }
            let kept = fit(raw(&all, &bytes, &[named.as_str()]), &down());
            let mut shown = serde_json::to_string(&kept.heads).unwrap();
            match &kept.body {
                Some(KeptBody::Text(text)) => shown.push_str(text),
                Some(KeptBody::Bytes(bytes)) => shown.push_str(&String::from_utf8_lossy(bytes)),
                None => {}
            }
            for secret in &secrets {
                assert!(
                    !shown.contains(secret.as_str()),
                    "round {round}: {secret} in {shown}"
                );
            }
        }
    }
}
