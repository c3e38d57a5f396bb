//! Names below which strangers register, so that no site may set a cookie for them.
//!
//! Browsers have the Public Suffix List for this, of 10 000 rules and 700 KB when compiled in. A jar that lives for one
//! check meets few hosts: here are the rules that hold for whole countries, and the largest hosters.

/// Countries whose names stand directly below: `co.de` belongs to one owner.
const FLAT: &str = " be bg ca ch cl cz de dk eu fi li lu me nl sk tv us ";

/// Names that are open to registration below nearly every other country.
const EVERYWHERE: &str = " ac co com edu gov mil net org ";

/// What some countries have besides.
const OF_COUNTRIES: [(&str, &str); 40] = [
    ("ar", " bet coop gob int musica mutual seg senasa tur "),
    ("at", " gv or "),
    ("au", " asn id conf oz "),
    (
        "br",
        " adm adv agr app art blog dev eco emp eng esp flog fm g12 gov ind inf jus leg med mus nom psi srv tec tur tv wiki ",
    ),
    ("bg", " "),
    ("cl", " gob "),
    (
        "cn",
        " ah bj cq fj gd gs gx gz ha hb he hi hk hl hn jl js jx ln mo nm nx qh sc sd sh sn sx tj tw xj xz yn zj ",
    ),
    ("es", " gob nom "),
    ("fr", " asso gouv nom prd tm "),
    ("gr", " "),
    ("hk", " idv "),
    (
        "hu",
        " agrar bolt casino city erotica film forum games hotel info ingatlan jogasz lakas media news priv reklam sex shop sport suli szex tm tozsde utazas video ",
    ),
    ("id", " biz desa go my or ponpes sch web "),
    ("il", " idf k12 muni "),
    (
        "in",
        " 5g 6g ai am bihar biz business ca cn coop cs delhi dr er firm gen gujarat ind info int internet io me nic pg post pro res travel tv uk up us ",
    ),
    ("ir", " id sch "),
    ("jp", " ad ed go gr lg ne or "),
    ("ke", " go info me mobi ne or sc "),
    ("kr", " ai es go hs io it kg me mil ms ne or pe re sc "),
    ("mx", " gob "),
    ("my", " biz name "),
    (
        "no",
        " fhs folkebibl fylkesbibl idrett kommune museum priv stat vgs ",
    ),
    (
        "nz",
        " cri geek gen govt health iwi kiwi maori parliament school ",
    ),
    ("pe", " gob nom "),
    ("ph", " i ngo "),
    ("pk", " biz fam gob gok gop gos gov web "),
    (
        "pl",
        " aid agro atm auto biz gmina gsm info mail media miasta nieruchomosci nom pc powiat priv sex shop sklep sos szkola targi tm tourism travel turystyka waw ",
    ),
    ("pt", " int nome publ "),
    ("ro", " arts firm info nom nt rec store tm www "),
    ("ru", " int msk pp spb "),
    (
        "se",
        " bd brand fh fhsk fhv kommunalforbund komforb kommun lanbib naturbruksgymn parti pp press tm ",
    ),
    ("sg", " per "),
    ("th", " go in mi or "),
    (
        "tr",
        " av bbs bel biz dr gen info k12 kep name pol tel tsk tv web ",
    ),
    ("tw", " club ebiz game idv "),
    (
        "ua",
        " cherkassy chernivtsi dn dp if in kh kharkov kherson kiev kyiv lviv od odesa odessa poltava pp te uz vn zp zt ",
    ),
    ("uk", " ltd me nhs plc police sch "),
    ("uz", " "),
    ("vn", " biz gov health info int io name pro "),
    (
        "za",
        " agric alt grondar law ngo nic nis nom school tm web ",
    ),
];

/// Hosters that give names below theirs to customers.
const HOSTERS: [&str; 60] = [
    "000webhostapp.com",
    "appspot.com",
    "azureedge.net",
    "azurestaticapps.net",
    "azurewebsites.net",
    "bitbucket.io",
    "blogspot.com",
    "br.com",
    "cloudapp.net",
    "cloudfront.net",
    "cn.com",
    "co.com",
    "co.nl",
    "com.de",
    "ddns.net",
    "de.com",
    "deno.dev",
    "duckdns.org",
    "dyndns.org",
    "elasticbeanstalk.com",
    "eu.com",
    "eu.org",
    "firebaseapp.com",
    "fly.dev",
    "gb.net",
    "github.io",
    "githubpreview.dev",
    "gitlab.io",
    "glitch.me",
    "herokuapp.com",
    "hopto.org",
    "hs-sites.com",
    "hu.com",
    "jp.net",
    "jpn.com",
    "mypages.net",
    "myshopify.com",
    "netlify.app",
    "ngrok.app",
    "ngrok.io",
    "no-ip.org",
    "now.sh",
    "onrender.com",
    "pages.dev",
    "pythonanywhere.com",
    "r2.dev",
    "repl.co",
    "ru.com",
    "run.app",
    "s3.amazonaws.com",
    "sa.com",
    "se.net",
    "surge.sh",
    "translate.goog",
    "trycloudflare.com",
    "uk.com",
    "uk.net",
    "us.com",
    "vercel.app",
    "workers.dev",
];

/// Whether a name is one: in small letters, without a dot at its end.
pub(crate) fn is_public_suffix(domain: &str) -> bool {
    let Some((rest, top)) = domain.rsplit_once('.') else {
        return true;
    };
    if HOSTERS.contains(&domain) || domain == "web.app" {
        return true;
    }
    let is_country = top.len() == 2;
    if !is_country || rest.contains('.') {
        return false;
    }
    let lists = |list: &str, word: &str| list.split_ascii_whitespace().any(|member| member == word);
    let is_flat = lists(FLAT, top);
    let own = OF_COUNTRIES.iter().find(|(country, _)| *country == top);
    (!is_flat && lists(EVERYWHERE, rest)) || own.is_some_and(|(_, names)| lists(names, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_register_below_these() {
        for domain in [
            "uk",
            "com",
            "localhost",
            "intranet",
            "co.uk",
            "org.uk",
            "ac.uk",
            "com.au",
            "id.au",
            "co.jp",
            "ne.jp",
            "com.br",
            "co.in",
            "co.nz",
            "govt.nz",
            "co.za",
            "co.kr",
            "com.cn",
            "com.tr",
            "in.ua",
            "com.pl",
            "or.at",
            "github.io",
            "herokuapp.com",
            "pages.dev",
            "web.app",
        ] {
            assert!(is_public_suffix(domain), "{domain}");
        }
        for domain in [
            "example.com",
            "a.co.uk",
            "bbc.uk",
            "co.de",
            "com.ch",
            "example.de",
            "www.example.com",
            "a.github.io",
            "gov.eu",
            "example.co.jp",
            "google.com",
            "x.y.z.test",
            "co.test",
        ] {
            assert!(!is_public_suffix(domain), "{domain}");
        }
    }
}
