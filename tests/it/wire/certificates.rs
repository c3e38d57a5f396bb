//! Which certificates are taken, and what is said of the others.

use std::sync::OnceLock;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use sitewatch::domain::check::Verdict;
use sitewatch::domain::secret::Secret;
use sitewatch::domain::target::{ClientCertificate, Target};
use sitewatch::tls::{self, Parts, SystemAnchors, Trust, words};

use crate::support::check::{asking, check_with, expectation, summary, target, verdict};
use crate::support::dns::NameServer;
use crate::support::forge::{By, Forged, Key, Plan, pem, tlv};
use crate::support::site::{Site, answer};

/// 2026-11-28.
const NOW: u64 = 1_795_824_000;
const PAST: (&str, &str) = ("20200101000000Z", "20260101000000Z");
const FUTURE: (&str, &str) = ("20300101000000Z", "20310101000000Z");

fn ca_file(trusted: &[&Forged]) -> Vec<u8> {
    let all: Vec<String> = trusted.iter().map(|forged| forged.pem()).collect();
    // Never empty: a file without certificates is of no use.
    let other = Plan::authority("Nobody's Root").forge(&Key::p256(99), None);
    [all.concat(), other.pem()].concat().into_bytes()
}

fn system() -> &'static SystemAnchors {
    static SYSTEM: OnceLock<SystemAnchors> = OnceLock::new();
    SYSTEM.get_or_init(SystemAnchors::load)
}

fn verified(
    trusted: &[&Forged],
    chain: &[&Forged],
    host: &str,
) -> Result<tls::Path, (tls::Fault, String)> {
    let trust = Trust::new(system(), Some(&ca_file(trusted))).expect("a ca_file");
    let provider = tls::provider();
    let parts = Parts {
        trust: &trust,
        algorithms: &provider.signature_verification_algorithms,
    };
    let chain: Vec<CertificateDer<'_>> = chain
        .iter()
        .map(|forged| CertificateDer::from(forged.der.as_slice()))
        .collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    tls::verify(parts, &chain, host, now).map_err(|fault| {
        let (kind, detail) = words::certificate(&fault, &chain, host);
        (fault, format!("{kind}: {detail}"))
    })
}

/// What becomes of a chain: `ok`, or a kind and words that begin and end so.
#[track_caller]
fn check(trusted: &[&Forged], chain: &[&Forged], host: &str, want: &str) {
    let got = match verified(trusted, chain, host) {
        Ok(_) => "ok".to_owned(),
        Err((_, words)) => words,
    };
    let debug = regex::Regex::new(r"Context|\[\d+, \d+|[a-z][A-Z]|[({]\s*\w+:").expect("valid");
    assert!(!debug.is_match(&got), "{got}");
    match want.split_once(" .. ") {
        Some((begin, end)) => assert!(
            got.starts_with(begin) && got.contains(end),
            "{got}\nnot {want}"
        ),
        None => assert_eq!(got, want),
    }
}

#[test]
fn signatures_that_other_clients_check() {
    let root = Plan::authority("Root").forge(&Key::p256(1), None);
    for key in [Key::p256(2), Key::p384(2), Key::p521(2), Key::rsa(None)] {
        let leaf = Plan::server("a.test").forge(&key, Some(&root));
        check(&[&root], &[&leaf], "a.test", "ok");
    }
    for root_key in [Key::p256(1), Key::p384(1), Key::p521(1), Key::rsa(None)] {
        for by in [By::Sha256, By::Sha384, By::Sha512] {
            let root = Plan::authority("Root").by(by).forge(&root_key, None);
            let middle = Plan::authority("Middle")
                .by(by)
                .forge(&Key::p521(3), Some(&root));
            let leaf = Plan::server("a.test")
                .by(by)
                .forge(&Key::p256(2), Some(&middle));
            check(&[&root], &[&leaf, &middle], "a.test", "ok");
            check(&[&middle], &[&leaf], "a.test", "ok");
            let own = Plan::server("a.test").by(by).forge(&root_key, None);
            check(
                &[],
                &[&own],
                "a.test",
                "tls_untrusted: the certificate is self-signed",
            );
            check(&[&own], &[&own], "a.test", "ok");
            let mut broken = leaf.clone();
            *broken.der.last_mut().expect("bytes") ^= 1;
            check(
                &[&middle],
                &[&broken],
                "a.test",
                "tls_untrusted: the certificate is not trusted: .. another key",
            );
        }
    }
}

/// As where a device made itself a new certificate and the ca_file has the old one.
#[test]
fn self_signed_under_the_name_of_a_trusted_one() {
    let trusted = Plan::authority("a.test").forge(&Key::p256(1), None);
    let own = Plan::server("a.test").forge(&Key::p256(2), None);
    check(
        &[&trusted],
        &[&own],
        "a.test",
        "tls_untrusted: the certificate is self-signed .. the same name and another key",
    );
    // A key of another kind, as a machine has whose distribution made it a certificate in the name of its host.
    let rsa = Plan::authority("a.test").forge(&Key::rsa(None), None);
    let p384 = Plan::authority("a.test").forge(&Key::p384(3), None);
    let p521 = Plan::authority("a.test").forge(&Key::p521(4), None);
    let by_rsa = Plan::server("a.test").forge(&Key::rsa(None), None);
    let by_p521 = Plan::server("a.test").forge(&Key::p521(5), None);
    let sha1: By = By::Other(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05");
    let weak = Plan::server("a.test").by(sha1).forge(&Key::p256(2), None);
    for (trusted, own) in [
        (&rsa, &own),
        (&rsa, &by_p521),
        (&p384, &own),
        (&p521, &own),
        (&trusted, &by_rsa),
        (&p384, &by_rsa),
        (&rsa, &weak),
        (&trusted, &weak),
    ] {
        check(
            &[trusted],
            &[own],
            "a.test",
            "tls_untrusted: the certificate is self-signed .. the same name and another key",
        );
        check(&[trusted, own], &[own], "a.test", "ok");
    }
    // The same of an authority: one that was made again with a key of another kind.
    let old = Plan::authority("Root").forge(&Key::rsa(None), None);
    let new = Plan::authority("Root").forge(&Key::p256(6), None);
    let leaf = Plan::server("a.test").forge(&Key::p256(7), Some(&new));
    for chain in [&[&leaf][..], &[&leaf, &new]] {
        check(
            &[&old],
            chain,
            "a.test",
            "tls_untrusted: the certificate is not trusted .. the trusted CN=Root has another key",
        );
        check(&[&old, &new], chain, "a.test", "ok");
    }
}

#[test]
fn keys_for_rsa_pss() {
    use rustls::pki_types::alg_id;
    let any: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
    for (by, own) in [
        (By::Pss256, alg_id::RSA_PSS_SHA256),
        (By::Pss384, alg_id::RSA_PSS_SHA384),
        (By::Pss512, alg_id::RSA_PSS_SHA512),
    ] {
        for algorithm in [None, Some(any), Some(&*own)] {
            let root = Plan::authority("Root")
                .by(by)
                .forge(&Key::rsa(algorithm), None);
            let leaf = Plan::server("a.test")
                .by(by)
                .forge(&Key::p256(2), Some(&root));
            check(&[&root], &[&leaf], "a.test", "ok");
        }
    }
}

#[test]
fn signatures_that_nobody_here_checks() {
    let root = Plan::authority("Root").forge(&Key::rsa(None), None);
    for (oid, want) in [
        (
            &b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"[..],
            "signed with SHA-1, which is too weak",
        ),
        (
            b"\x2a\x86\x48\xce\x3d\x04\x01",
            "signed with SHA-1, which is too weak",
        ),
        (
            b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04",
            "signed with MD5, which is too weak",
        ),
        (
            b"\x2b\x65\x71",
            "signed with Ed448 that sitewatch cannot check; other clients may",
        ),
        (
            b"\x88\x37\x03",
            "signed with an algorithm (2.999.3) that sitewatch cannot check",
        ),
    ] {
        let leaf = Plan::server("a.test")
            .by(By::Other(oid))
            .forge(&Key::p256(2), Some(&root));
        check(
            &[&root],
            &[&leaf],
            "a.test",
            &format!("tls_handshake: a certificate is .. {want}"),
        );
    }
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(SHORT_RSA.as_bytes()).expect("PEM");
    let root = Plan::authority("Root")
        .by(By::Other(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"))
        .forge(&Key::Foreign(spki.to_vec()), None);
    let leaf = Plan::server("a.test")
        .by(By::Other(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"))
        .forge(&Key::p256(2), Some(&root));
    check(
        &[&root],
        &[&leaf, &root],
        "a.test",
        "tls_untrusted: the certificate is not trusted: the RSA key of CN=Root has 1024 bits, and 2048 is the least",
    );
}

/// The public half of an RSA key with 1024 bits.
const SHORT_RSA: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCSirgclEHUOxInUZyp8+ngl1w
Rf4XKsZnNp2rnUoDTVVMyEqMB+dhb5jiayg5RMH5U+LUEF/Dvq1WE2T3k1LmLvN1
7CSkb/8oxD00Ihew3ct6++xchstjnB5MdpqvXGGfeMFE4d/1KIsRv3+jIORJ021i
14s/anCkggTd2ZWkIQIDAQAB
-----END PUBLIC KEY-----
";

#[test]
fn version_1() {
    let v1 = |plan: Plan| plan.version(1);
    let key = Key::p256(2);
    let own = v1(Plan::bare("a.test")).forge(&key, None);
    check(
        &[],
        &[&own],
        "a.test",
        "tls_untrusted: the certificate is self-signed",
    );
    check(&[&own], &[&own], "a.test", "ok");
    check(&[&own], &[&own], "A.TEST.", "ok");
    check(
        &[&own],
        &[&own],
        "b.test",
        "tls_hostname: the certificate is not for `b.test`: it is of an old version .. (CN=a.test alone does not count)",
    );
    let address = v1(Plan::bare("127.0.0.1")).forge(&key, None);
    check(&[&address], &[&address], "127.0.0.1", "ok");
    let wild = v1(Plan::bare("*.a.test")).forge(&key, None);
    check(&[&wild], &[&wild], "www.a.test", "ok");
    check(
        &[&wild],
        &[&wild],
        "a.test",
        "tls_hostname: .. not for `a.test`",
    );
    let (old, early) = (PAST, FUTURE);
    let expired = v1(Plan::bare("a.test").dates(old.0, old.1)).forge(&key, None);
    for trusted in [&[][..], &[&expired]] {
        check(
            trusted,
            &[&expired],
            "a.test",
            "tls_expired: the certificate expired on 2026-01-01 00:00:00 UTC",
        );
    }
    let early = v1(Plan::bare("a.test").dates(early.0, early.1)).forge(&key, None);
    check(
        &[],
        &[&early],
        "a.test",
        "tls_not_yet_valid: the certificate is valid from 2030-01-01 00:00:00 UTC on",
    );
    // A root of version 1 over a server's certificate of version 3; one that is not trusted.
    let root = v1(Plan::bare("Root")).forge(&Key::p256(1), None);
    let leaf = Plan::server("a.test").forge(&key, Some(&root));
    check(&[&root], &[&leaf], "a.test", "ok");
    check(&[&root], &[&leaf, &root], "a.test", "ok");
    check(
        &[],
        &[&leaf, &root],
        "a.test",
        "tls_untrusted: its root CN=Root is not trusted here",
    );
    // A server's certificate of version 1 by a trusted authority names nobody.
    let leaf = v1(Plan::bare("a.test")).forge(&key, Some(&root));
    check(
        &[&root],
        &[&leaf],
        "a.test",
        "tls_hostname: .. it is of an old version",
    );
    let v2 = Plan::bare("a.test").version(2).forge(&key, None);
    check(
        &[],
        &[&v2],
        "a.test",
        "tls_untrusted: the certificate is self-signed",
    );
    check(&[&v2], &[&v2], "a.test", "ok");
    // A common name does not count where other names were possible.
    let named = Plan::bare("a.test").forge(&key, None);
    check(
        &[&named],
        &[&named],
        "a.test",
        "tls_hostname: .. no subject alternative name",
    );
    // An intermediate of version 1 is no authority.
    let middle = v1(Plan::bare("Middle")).forge(&Key::p256(3), Some(&root));
    let leaf = Plan::server("a.test").forge(&key, Some(&middle));
    check(
        &[&root],
        &[&leaf, &middle],
        "a.test",
        "tls_untrusted: a certificate of the chain signed another .. basic constraints",
    );
}

#[test]
fn what_other_clients_read() {
    let root = Plan::authority("Root").forge(&Key::p256(1), None);
    let key = Key::p256(2);
    let policies = tlv(0x30, &[&tlv(0x30, &[&tlv(6, &[&[0x55, 0x1d, 32, 0]])])]);
    let server = || Plan::server("a.test");
    let unknown: &[u8] = b"\x2b\x06\x01\x04\x01\x86\x8d\x1f\x01";
    for (what, plan, want) in [
        (
            "critical policies",
            server().with(&[0x55, 0x1d, 32], true, &policies),
            "ok",
        ),
        (
            "critical key identifier",
            server().with(&[0x55, 0x1d, 14], true, &[4, 1, 7]),
            "ok",
        ),
        (
            "critical distribution points of nonsense",
            server().with(&[0x55, 0x1d, 31], true, b"nonsense"),
            "ok",
        ),
        (
            "access to nonsense",
            server().with(b"\x2b\x06\x01\x05\x05\x07\x01\x01", false, b"nonsense"),
            "ok",
        ),
        (
            "a negative serial number",
            server().serial(&[0x80, 1]),
            "ok",
        ),
        ("serial number 0", server().serial(&[0]), "ok"),
        (
            "a serial number of 40 bytes",
            server().serial(&[7; 40]),
            "ok",
        ),
        (
            "an authority's",
            server().with(&[0x55, 0x1d, 19], true, &tlv(0x30, &[&[1, 1, 0xff]])),
            "ok",
        ),
        (
            "unknown, critical",
            server().with(unknown, true, &[5, 0]),
            "tls_handshake: the certificate has a critical extension .. (1.3.6.1.4.1.99999.1)",
        ),
        (
            "unknown, not critical",
            server().with(unknown, false, &[5, 0]),
            "ok",
        ),
        (
            "unknown, critical, ended",
            server().with(unknown, true, &[5, 0]).dates(PAST.0, PAST.1),
            "tls_expired: the certificate expired on 2026-01-01 00:00:00 UTC",
        ),
        (
            "dates inverted",
            server().dates("20800101000000Z", "20200101000000Z"),
            "tls_expired: a certificate ends before it begins",
        ),
        (
            "no names",
            Plan::bare("a.test"),
            "tls_hostname: .. (CN=a.test alone does not count)",
        ),
        (
            "for clients",
            server().with(
                &[0x55, 0x1d, 37],
                false,
                b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02",
            ),
            "tls_untrusted: .. is not for servers but for clients (extended key usage)",
        ),
        (
            "for nothing",
            server().with(&[0x55, 0x1d, 37], false, b"\x30\x00"),
            "tls_untrusted: the certificate is for no purpose .. ",
        ),
        (
            "names twice",
            server().named(&[(0x82, b"a.test")]),
            "tls_handshake: a certificate has an extension that cannot be read, or one twice",
        ),
    ] {
        let leaf = plan.forge(&key, Some(&root));
        check(&[&root], &[&leaf], "a.test", want);
        let own = plan.forge(&key, None);
        let wanted = match want.split(':').next() {
            Some("tls_expired") => want,
            _ if what == "for clients" || what == "for nothing" || what == "names twice" => want,
            _ => "tls_untrusted: the certificate is self-signed",
        };
        check(&[], &[&own], "a.test", wanted);
    }
    // The same in an authority's certificate.
    let middle = Plan::authority("Middle")
        .with(&[0x55, 0x1d, 36], true, b"\x30\x03\x80\x01\x00")
        .with(&[0x55, 0x1d, 54], true, b"\x02\x01\x00")
        .forge(&Key::p256(3), Some(&root));
    let leaf = server().forge(&key, Some(&middle));
    check(&[&root], &[&leaf, &middle], "a.test", "ok");
    let middle = Plan::authority("Middle")
        .with(unknown, true, &[5, 0])
        .forge(&Key::p256(3), Some(&root));
    let leaf = server().forge(&key, Some(&middle));
    check(
        &[&root],
        &[&leaf, &middle],
        "a.test",
        "tls_handshake: the certificate has a critical .. 1.3.6.1.4.1.99999.1",
    );
    check(&[&middle], &[&leaf], "a.test", "ok");
    // Bytes behind the certificate, none at all, half of it.
    let good = server().forge(&key, Some(&root));
    for cut in [0, 1, 40, good.der.len() - 1] {
        let mut half = good.clone();
        half.der.truncate(cut);
        check(
            &[&root],
            &[&half],
            "a.test",
            "tls_handshake: a certificate cannot be read: it is malformed",
        );
    }
    let mut longer = good.clone();
    longer.der.push(0);
    check(
        &[&root],
        &[&longer],
        "a.test",
        "tls_handshake: a certificate cannot be read: it is malformed",
    );
    check(
        &[&root],
        &[],
        "a.test",
        "tls_handshake: a certificate cannot be read: it is malformed",
    );
    // An unreadable one beside good ones does not matter.
    let nonsense = Forged {
        der: b"nonsense".to_vec(),
        ..good.clone()
    };
    check(&[&root], &[&good, &nonsense, &root], "a.test", "ok");
    check(
        &[],
        &[&good, &nonsense, &root],
        "a.test",
        "tls_untrusted: its root CN=Root is not trusted here",
    );
}

#[test]
fn names_and_addresses() {
    let root = Plan::authority("Root").forge(&Key::p256(1), None);
    let leaf = |names: &[(u8, &[u8])]| {
        Plan::bare("x")
            .named(names)
            .forge(&Key::p256(2), Some(&root))
    };
    let wild = leaf(&[(0x82, b"*.a.test"), (0x82, b"{b}.test")]);
    for (host, want) in [
        ("www.a.test", "ok"),
        ("WWW.A.TEST.", "ok"),
        ("shop-.a.test", "ok"),
        ("-shop.a.test", "ok"),
        ("my_app.a.test", "ok"),
        (
            "a.test",
            "tls_hostname: .. not for `a.test`: it is for *.a.test, {b}.test",
        ),
        ("x.y.a.test", "tls_hostname: .. not for `x.y.a.test`"),
        ("x-.y.a.test", "tls_hostname: .. not for `x-.y.a.test`"),
        ("-.b.test", "tls_hostname: .. not for `-.b.test`"),
    ] {
        check(&[&root], &[&wild], host, want);
    }
    let addresses = leaf(&[
        (0x87, &[127, 0, 0, 1]),
        (0x87, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ]);
    for (host, want) in [
        ("127.0.0.1", "ok"),
        ("[::1]", "ok"),
        ("::1", "ok"),
        ("127.0.0.2", "tls_hostname: .. it is for 127.0.0.1, ::1"),
    ] {
        check(&[&root], &[&addresses], host, want);
    }
    let written = leaf(&[(0x82, b"127.0.0.1"), (0x82, b"::1"), (0x82, b"a.test")]);
    check(
        &[&root],
        &[&written],
        "127.0.0.1",
        "tls_hostname: the certificate is not for `127.0.0.1`: it names 127.0.0.1 as a DNS name, which does not count for an address",
    );
    check(
        &[&root],
        &[&written],
        "[::1]",
        "tls_hostname: the certificate is not for `::1`: it names ::1 as a DNS name, which does not count for an address",
    );
    check(
        &[&root],
        &[&written],
        "127.0.0.3",
        "tls_hostname: .. it is for 127.0.0.1, ::1, a.test",
    );
}

#[test]
fn authorities_have_limits() {
    let root = Plan::authority("Root").forge(&Key::p256(1), None);
    // Permitted: other.test alone; path length 0.
    let permitted = tlv(
        0x30,
        &[&tlv(0xa0, &[&tlv(0x30, &[&tlv(0x82, &[b"other.test"])])])],
    );
    let middle = Plan::authority("Middle")
        .with(&[0x55, 0x1d, 30], true, &permitted)
        .forge(&Key::p256(3), Some(&root));
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&middle));
    check(
        &[&root],
        &[&leaf, &middle],
        "a.test",
        "tls_untrusted: an authority of the chain may not issue .. name constraints",
    );
    let short = tlv(0x30, &[&[1, 1, 0xff], &[2, 1, 0]]);
    let middle = Plan::bare("Middle")
        .with(&[0x55, 0x1d, 19], true, &short)
        .forge(&Key::p256(3), Some(&root));
    let lower = Plan::authority("Lower").forge(&Key::p256(4), Some(&middle));
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&lower));
    check(
        &[&root],
        &[&leaf, &lower, &middle],
        "a.test",
        "tls_untrusted: an authority of the chain may not have .. path length",
    );
}

/// The end of the anchor, where a path was found: its year.
#[track_caller]
fn anchor_year(trusted: &[&Forged], chain: &[&Forged]) -> String {
    let path = verified(trusted, chain, "a.test").map_err(|(_, words)| words);
    let path = path.expect("a path");
    path.anchor
        .map_or_else(String::new, |end| end.not_after.to_string()[..4].to_owned())
}

#[test]
fn the_anchor_that_ends_last_counts() {
    let key = Key::p256(1);
    let old = Plan::authority("Root")
        .dates(PAST.0, PAST.1)
        .forge(&key, None);
    let renewed = Plan::authority("Root").forge(&key, None);
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&renewed));
    assert_eq!(anchor_year(&[&old], &[&leaf]), "2026");
    for trusted in [[&old, &renewed], [&renewed, &old]] {
        assert_eq!(anchor_year(&trusted, &[&leaf]), "2090");
        assert_eq!(anchor_year(&trusted, &[&leaf, &old]), "2090");
    }
    // A second authority has signed the intermediate as well: the way to the root that goes on is found.
    let other = Plan::authority("Other Root").forge(&Key::p256(5), None);
    let middle = Plan::authority("Middle").forge(&Key::p256(3), Some(&old));
    let crossed = Plan::authority("Middle").forge(&Key::p256(3), Some(&other));
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&middle));
    for sent in [[&leaf, &middle, &crossed], [&leaf, &crossed, &middle]] {
        assert_eq!(anchor_year(&[&old, &other], &sent), "2090");
        assert_eq!(anchor_year(&[&old], &sent), "2026");
        assert_eq!(anchor_year(&[&other], &sent), "2090");
    }
    // The root itself is trusted, and an expired root has signed it, too.
    let root_crossed = Plan::authority("Other Root").forge(&Key::p256(5), Some(&old));
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&other));
    assert_eq!(
        anchor_year(&[&old, &other], &[&leaf, &root_crossed]),
        "2090"
    );
    assert_eq!(anchor_year(&[&old], &[&leaf, &root_crossed]), "2026");
    // An intermediate in the ca_file counts by its own end.
    let ended = Plan::authority("Middle")
        .dates(PAST.0, PAST.1)
        .forge(&Key::p256(3), Some(&renewed));
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&ended));
    assert_eq!(anchor_year(&[&ended], &[&leaf]), "2026");
    assert_eq!(anchor_year(&[&ended, &renewed], &[&leaf, &middle]), "2090");
}

/// Path building is exponential in certificates of one name. A server that sends them must not delay the checks.
#[test]
fn a_hostile_chain_costs_little() {
    let root = Plan::authority("Root").forge(&Key::p256(1), None);
    let stranger = Plan::authority("Loop").forge(&Key::p256(9), None);
    // All of one name, each with another key, each by the first.
    let loops: Vec<Forged> = (10..110)
        .map(|seed| Plan::authority("Loop").forge(&Key::p256(seed), Some(&stranger)))
        .collect();
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&stranger));
    let mut chain = vec![&leaf];
    chain.extend(&loops);
    let begun = sitewatch::clock::tick();
    check(
        &[&root],
        &chain,
        "a.test",
        "tls_untrusted: .. not trusted here",
    );
    // Without optimization and on a busy machine.
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    // The one that is needed is found among them: by the identifier of its key.
    let id = tlv(4, &[b"right"]);
    let wanted = tlv(0x30, &[&tlv(0x80, &[b"right"])]);
    let right = Plan::authority("Loop")
        .with(&[0x55, 0x1d, 14], false, &id)
        .forge(&Key::p256(8), Some(&root));
    let leaf = Plan::server("a.test")
        .with(&[0x55, 0x1d, 35], false, &wanted)
        .forge(&Key::p256(2), Some(&right));
    let mut chain = vec![&leaf];
    chain.extend(&loops);
    chain.push(&right);
    check(&[&root], &chain, "a.test", "ok");
}

async fn look(
    server: rustls::ServerConfig,
    change: impl FnOnce(&mut Target),
) -> (String, String, Option<String>) {
    let site = Site::tls(server, |_| answer(200, "", "hello")).await;
    let dns = NameServer::loopback().await;
    let mut target = target(&format!("https://a.test:{}/", site.port()));
    change(&mut target);
    let mut expectation = expectation();
    expectation.certificate_expiry = [Duration::from_secs(21 * 86_400)].into();
    let check = check_with(&asking(&[&dns]), target, &expectation).await;
    let detail = match &check.verdict {
        Verdict::Degraded(failure) => failure.detail.to_string(),
        _ => summary(&check),
    };
    let end = check
        .certificate
        .as_ref()
        .map(|seen| seen.not_after.to_string());
    (verdict(&check), detail, end)
}

fn trusting(trusted: &[&Forged]) -> impl FnOnce(&mut Target) + use<> {
    let pem = ca_file(trusted);
    |target| target.ca_pem = Some(pem.into())
}

#[tokio::test]
async fn handshakes_on_p521_and_of_version_1() {
    let root = Plan::authority("Root")
        .by(By::Sha512)
        .forge(&Key::p521(1), None);
    for version in [12, 13] {
        let leaf = Plan::server("a.test")
            .by(By::Sha512)
            .forge(&Key::p521(2), Some(&root));
        let (verdict, detail, _) =
            look(leaf.server(&[], Some(version), None), trusting(&[&root])).await;
        assert_eq!(verdict, "up 200", "TLS {version}: {detail}");
        // A server that takes secp521r1 only, the last of the groups.
        let last = tls::provider().kx_groups.len() - 1;
        let leaf = Plan::server("a.test")
            .by(By::Sha512)
            .forge(&Key::rsa(None), Some(&root));
        let (verdict, detail, _) = look(
            leaf.server(&[], Some(version), Some(last)),
            trusting(&[&root]),
        )
        .await;
        assert_eq!(verdict, "up 200", "TLS {version}: {detail}");
        for key in [Key::p256(2), Key::rsa(None)] {
            let own = Plan::bare("a.test").version(1).forge(&key, None);
            let server = || own.server(&[], Some(version), None);
            let (verdict, detail, _) = look(server(), trusting(&[&own])).await;
            assert_eq!(verdict, "up 200", "TLS {version}: {detail}");
            let (verdict, detail, end) = look(server(), |_| {}).await;
            assert_eq!(verdict, "down tls_untrusted", "TLS {version}: {detail}");
            assert!(detail.contains("self-signed"), "{detail}");
            assert_eq!(end.as_deref(), Some("2090-01-01T00:00:00.000Z"));
            let (verdict, detail, _) = look(server(), |target| target.verify_tls = false).await;
            assert_eq!(verdict, "up 200", "TLS {version}: {detail}");
            // Another key than the certificate's: found out by the signature of the handshake.
            let other = Forged {
                der: own.der.clone(),
                ..Plan::bare("a.test").forge(&Key::p384(7), None)
            };
            let (verdict, detail, _) =
                look(other.server(&[], Some(version), None), trusting(&[&own])).await;
            assert_eq!(verdict, "down tls_handshake", "TLS {version}: {detail}");
        }
    }
}

/// A chain whose verification takes milliseconds is verified on another thread, after the handshake: with the same
/// verdicts, and before anything is sent.
#[tokio::test]
async fn chains_that_take_long_to_verify() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let root = Plan::authority("Root")
        .by(By::Sha384)
        .forge(&Key::p384(1), None);
    let middle = Plan::authority("Middle")
        .by(By::Sha384)
        .forge(&Key::p384(2), Some(&root));
    let low = Plan::authority("Low")
        .by(By::Sha384)
        .forge(&Key::p384(3), Some(&middle));
    let server = |name: &'static str, dates: (&'static str, &'static str)| {
        Plan::server(name)
            .by(By::Sha384)
            .dates(dates.0, dates.1)
            .forge(&Key::p384(4), Some(&low))
    };
    let valid = ("20200101000000Z", "20900101000000Z");
    let good = server("a.test", valid);
    let other_key = Forged {
        der: good.der.clone(),
        ..Plan::bare("a.test").forge(&Key::p384(7), None)
    };
    let nobody = Plan::authority("Nobody").forge(&Key::p384(8), None);
    let cases = [
        (&good, &root, true, "up 200"),
        (&server("b.test", valid), &root, true, "down tls_hostname"),
        (&server("a.test", PAST), &root, true, "down tls_expired"),
        (&good, &nobody, true, "down tls_untrusted"),
        (&other_key, &root, true, "down tls_handshake"),
        (&good, &nobody, false, "up 200"),
    ];
    for version in [12, 13] {
        for (leaf, trusted, verify, want) in cases {
            let asked = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&asked);
            let server = leaf.server(&[&low, &middle], Some(version), None);
            let site = Site::tls(server, move |_| {
                counter.fetch_add(1, SeqCst);
                answer(200, "", "hello")
            })
            .await;
            let dns = NameServer::loopback().await;
            let mut target = target(&format!("https://a.test:{}/", site.port()));
            trusting(&[trusted])(&mut target);
            target.verify_tls = verify;
            let check = check_with(&asking(&[&dns]), target, &expectation()).await;
            assert_eq!(verdict(&check), want, "TLS {version}: {}", summary(&check));
            assert_eq!(asked.load(SeqCst), usize::from(want == "up 200"));
            let seen = check.certificate.as_ref().expect("a certificate");
            assert!(seen.issuer.contains("Low"), "{}", seen.issuer);
            assert!(check.timings.tls.is_some());
        }
    }
}

#[tokio::test]
async fn client_certificates_on_every_curve() {
    use crate::support::pki::Pair;
    use rustls::server::WebPkiClientVerifier;
    use std::sync::Arc;
    let (root, _) = crate::support::pki::good_site();
    let leaf = Pair::leaf(&["a.test"], Some(&root), -1, 90);
    let clients = Plan::authority("Clients").forge(&Key::p256(1), None);
    for version in [12, 13] {
        for (key, sec1) in [
            (Key::p256(2), false),
            (Key::p384(2), true),
            (Key::p521(2), false),
            (Key::p521(2), true),
            (Key::rsa(None), false),
        ] {
            let mut roots = rustls::RootCertStore::empty();
            roots
                .add(CertificateDer::from(clients.der.clone()))
                .expect("a root");
            let provider = Arc::new(tls::provider());
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .expect("a verifier");
            let versions: &[&rustls::SupportedProtocolVersion] = if version == 12 {
                &[&rustls::version::TLS12]
            } else {
                &[&rustls::version::TLS13]
            };
            let key_of_server =
                rustls::pki_types::pem::PemObject::from_pem_slice(leaf.key_pem().as_bytes())
                    .expect("PEM");
            let server = rustls::ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .expect("versions")
                .with_client_cert_verifier(verifier)
                .with_single_cert(vec![leaf.der.clone()], key_of_server)
                .expect("a key");
            let me = Plan::server("me.test").forge(&key, Some(&clients));
            let (verdict, detail, _) = look(server, |target| {
                target.ca_pem = Some(root.pem.as_bytes().into());
                target.client_certificate = Some(ClientCertificate {
                    chain_pem: me.pem().as_bytes().into(),
                    key_pem: Secret::new(key.pem(sec1)),
                });
            })
            .await;
            assert_eq!(verdict, "up 200", "TLS {version}: {detail}");
        }
    }
}

#[tokio::test]
async fn a_root_that_ends_is_said() {
    let root = Plan::authority("Old Root")
        .dates(PAST.0, PAST.1)
        .forge(&Key::p256(1), None);
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&root));
    let (verdict, detail, end) = look(leaf.server(&[], None, None), trusting(&[&root])).await;
    assert_eq!(verdict, "degraded certificate_expiring 200", "{detail}");
    assert!(
        detail.starts_with(
            "the root CN=Old Root, which alone makes the certificate trusted here, expired "
        ),
        "{detail}"
    );
    assert_eq!(end.as_deref(), Some("2026-01-01T00:00:00.000Z"));
    let renewed = Plan::authority("Old Root").forge(&Key::p256(1), None);
    let (verdict, detail, end) =
        look(leaf.server(&[], None, None), trusting(&[&root, &renewed])).await;
    assert_eq!(verdict, "up 200", "{detail}");
    assert_eq!(end.as_deref(), Some("2090-01-01T00:00:00.000Z"));
}

/// A root that ends before the certificate, but not soon, changes no date that is shown.
#[tokio::test]
async fn a_certificate_without_an_end() {
    for root_ends in ["20400101000000Z", "99991231235959Z"] {
        let root = Plan::authority("Root")
            .dates("20200101000000Z", root_ends)
            .forge(&Key::p256(1), None);
        let leaf = Plan::server("a.test")
            .dates("20200101000000Z", "99991231235959Z")
            .forge(&Key::p256(2), Some(&root));
        let (verdict, detail, end) = look(leaf.server(&[], None, None), trusting(&[&root])).await;
        assert_eq!(verdict, "up 200", "{detail}");
        assert_eq!(end.as_deref(), Some("9999-12-31T23:59:59.000Z"));
    }
}

#[tokio::test]
async fn other_forms_of_a_ca_file() {
    let root = Plan::authority("Root").forge(&Key::p256(1), None);
    let leaf = Plan::server("a.test").forge(&Key::p256(2), Some(&root));
    let trusted = [root.der.clone(), tlv(0x30, &[])].concat();
    for file in [
        root.der.clone(),
        pem("TRUSTED CERTIFICATE", &trusted).into_bytes(),
        pem("X509 CERTIFICATE", &root.der).into_bytes(),
        [
            b"Bag Attributes\r\n".to_vec(),
            root.pem().replace('\n', "\r\n").into_bytes(),
            b"\xff\n".to_vec(),
        ]
        .concat(),
    ] {
        let (verdict, detail, _) = look(leaf.server(&[], None, None), |target| {
            target.ca_pem = Some(file.into())
        })
        .await;
        assert_eq!(verdict, "up 200", "{detail}");
    }
}

/// An authority that changes its key each year and keeps its name.
#[test]
fn many_roots_of_one_name_in_a_ca_file() {
    for key in [Key::p256, Key::p384] {
        let forge = |number| Plan::authority("Yearly Root").forge(&key(number), None);
        let roots: Vec<Forged> = (1..=40).map(forge).collect();
        let trusted: Vec<&Forged> = roots.iter().collect();
        for signer in [0, 39] {
            let leaf = Plan::server("a.test").forge(&Key::p256(50), Some(&roots[signer]));
            check(&trusted, &[&leaf], "a.test", "ok");
        }
    }
}
