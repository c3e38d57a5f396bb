//! What the pages load beside themselves, embedded, under names that change with the content.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Its path, with a hash of the content in it, so that it can be cached for ever.
    pub path: String,
    /// Its media type.
    pub media_type: &'static str,
    /// The file itself.
    pub body: &'static str,
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, body: &'static str) -> Self {
        let hash = Sha256::digest(body);
        let short: String = hash
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            path: format!("/assets/{name}-{short}.{extension}"),
            media_type,
            body,
        }
    }
}

/// How the pages look.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let body = include_str!("style.css");
    Asset::new("style", "css", "text/css; charset=utf-8", body)
});

/// What refreshes them, where JavaScript is on.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let body = include_str!("script.js");
    Asset::new("script", "js", "text/javascript; charset=utf-8", body)
});

/// The sign in the browser's tab.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("icon.svg")));

/// The file of a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*SCRIPT, &*ICON]
        .into_iter()
        .find(|asset| asset.path == path)
}
