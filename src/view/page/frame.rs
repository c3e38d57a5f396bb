//! What surrounds every page.

use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::rows::{Frame, Look, State};
use super::words;

/// A page: `heading` is its one `h1`, `sentence` what the tab says after it.
pub fn page(frame: &Frame, heading: &Markup, tab: &str, look: Look, main: &Markup) -> Markup {
    let zone = frame.now.in_zone(&frame.zone).strftime("%Z").to_string();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (look.sign) " " (tab) }
                link rel="stylesheet" href=(STYLE.path);
                @if let Some(accent) = &frame.brand.accent { link rel="stylesheet" href=(accent); }
                link rel="icon" type="image/svg+xml" href=(ICON.path);
                link rel="alternate" type="application/atom+xml" title="Incidents" href="/feed.atom";
                script src=(SCRIPT.path) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    @if let Some(logo) = &frame.brand.logo { img.logo src=(logo) alt=""; }
                    div { (heading)
                        @if !frame.brand.description.is_empty() { p.quiet { (frame.brand.description) } } }
                    @if let Some(link) = &frame.brand.link { a.site href=(link) rel="noopener" { (host_of(link)) } }
                }
                p.hidden id="news" role="status" {}
                main id="main" tabindex="-1" { (main) }
                footer {
                    p id="made" {
                        "As of " (words::moment(frame, frame.now)) " (" (zone) "). "
                        span.live { "Refreshes every minute." }
                        span.late { "Refresh failed." }
                    }
                    p { a href="/feed.atom" { "Incident feed" } " · "
                        a href="/api/v1/monitors" { "JSON" } " · "
                        a href="/metrics" { "Metrics" } " · sitewatch " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    }
}

/// The state of everything, or of one monitor, across the page.
pub fn banner(look: Look, sentence: &Markup) -> Markup {
    html! {
        div class={ "banner " (look.word) } {
            span.sign aria-hidden="true" { (look.sign) }
            p { (sentence) }
        }
    }
}

/// What a link is called: its host.
fn host_of(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

/// A state as sign and word; the word is what screen readers say.
pub fn pill(state: State) -> Markup {
    html! { span class={ "pill " (state.as_str()) } {
    span aria-hidden="true" { (state.sign()) } " " (state.as_str()) } }
}

/// What there is at an address that is not known.
pub fn nothing_here(frame: &Frame) -> Markup {
    let heading = html! { h1 { a href="/" { (frame.title) } } };
    let main = html! {
        section { h2 { "Nothing here" }
            p { "There is no such page. " a href="/" { "All monitors" } } }
    };
    page(
        frame,
        &heading,
        "Nothing here",
        State::Unknown.into(),
        &main,
    )
}
