//! The tour of locations: two sites that each location may see differently, and what happens to them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::script::Act;
use super::server::Began;
use crate::clock;

/// The locations of the tour.
pub const LOCATIONS: [&str; 3] = ["fra", "nyc", "sgp"];
/// The sites, by their names.
pub const SITES: [&str; 2] = ["blog", "shop"];
/// The header by which a probe of the tour says where it stands.
pub const PLACE_HEADER: &str = "x-place";

/// The route from sgp to the blog breaks.
const ROUTE_BREAKS: Duration = Duration::from_secs(6);
/// The shop fails for everybody.
const SHOP_BREAKS: Duration = Duration::from_secs(22);
/// Both are well again.
const ALL_RECOVERS: Duration = Duration::from_secs(38);
/// The acts are played again after this time, for a tour that stays.
const ROUND: Duration = Duration::from_secs(120);
/// A request of the tour's own probes is far below this.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// Who says nothing is hung up on.
const PATIENCE: Duration = Duration::from_secs(5);

/// The acts, in their order.
pub const ACTS: [Act; 4] = [
    Act {
        at: Duration::ZERO,
        happens: "`blog` and `shop` are checked from fra, nyc and sgp, and both are well.",
        matters: "One place alone cannot tell a dead site from a dead route to it. Here two of three must say down, \
                  each after checks of its own, before anybody is told.",
    },
    Act {
        at: ROUTE_BREAKS,
        happens: "The route from sgp to `blog` breaks; fra and nyc still reach it.",
        matters: "A single sitewatch in sgp would mail about a site that is fine. This one says degraded, regional: \
                  it is recorded, and nobody is woken.",
    },
    Act {
        at: SHOP_BREAKS,
        happens: "`shop` answers 503 to everybody.",
        matters: "The first failure anywhere makes the others look at once, so this is confirmed sooner than from one \
                  place: one mail, and it says who sees it.",
    },
    Act {
        at: ALL_RECOVERS,
        happens: "`shop` answers 200 again, and the route from sgp is mended.",
        matters: "One UP mail about `shop`, to those who got the DOWN. About `blog` there is nothing to take back.",
    },
];

/// Whether a site fails for a location, `since` the tour began.
pub fn fails(site: &str, location: &str, since: Duration) -> bool {
    let since = Duration::from_secs_f64(since.as_secs_f64() % ROUND.as_secs_f64());
    match site {
        "blog" => location == "sgp" && (ROUTE_BREAKS..ALL_RECOVERS).contains(&since),
        "shop" => (SHOP_BREAKS..ALL_RECOVERS).contains(&since),
        _ => false,
    }
}

/// Serves all sites, each under its name; it runs until the runtime ends.
///
/// # Errors
/// When no loopback port can be had.
pub async fn serve(began: Began) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let began = Began::clone(&began);
            tokio::spawn(tokio::time::timeout(PATIENCE, talk(stream, began)));
        }
    });
    Ok(address)
}

async fn talk(mut stream: TcpStream, began: Began) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 || request.len() > REQUEST_BYTES_MAX {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&request);
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1));
    let site = path.unwrap_or("/").trim_start_matches('/');
    let location = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(PLACE_HEADER))
        .map_or("", |(_, value)| value.trim());
    let since = began
        .get()
        .map_or(Duration::ZERO, |began| clock::tick().duration_since(*began));
    let (status, body) = match fails(site, location, since) {
        true => ("503 Service Unavailable", "No way to the site.\n"),
        false => ("200 OK", "All is well.\n"),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_fails_from_one_place_and_the_other_from_all() {
        let of = |site: &str, seconds: u64| {
            LOCATIONS.map(|location| fails(site, location, Duration::from_secs(seconds)))
        };
        assert_eq!(of("blog", 0), [false; 3]);
        assert_eq!(of("blog", 10), [false, false, true]);
        assert_eq!(of("shop", 10), [false; 3]);
        assert_eq!(of("shop", 30), [true; 3]);
        assert_eq!((of("blog", 40), of("shop", 40)), ([false; 3], [false; 3]));
        assert_eq!(of("blog", 130), [false, false, true]);
        assert!(ACTS.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
