//! The logo and the accent's style sheet, made once a configuration: all readers share the bytes, and
//! nothing is hashed or packed for him.

use hyper::body::Bytes;

use super::budget::Budget;
use super::reply::{Keep, Reply};
use crate::config::Config;
use crate::view::page::brand;

/// The files by their paths; at most two.
#[derive(Debug)]
pub(super) struct BrandFiles(Vec<(String, Reply)>);

impl BrandFiles {
    /// Those of a configuration.
    pub(super) fn of(config: &Config, budget: &Budget) -> Self {
        let look = config.web.as_ref().map(|web| &web.look);
        let logo = look.and_then(|look| look.logo.as_ref()).map(|logo| {
            let bytes = Bytes::from_owner(logo.bytes.clone());
            let reply = Reply::new(logo.media_type, Keep::Forever, bytes);
            (brand::logo_path(logo), reply)
        });
        let accent = look.and_then(|look| look.accent).map(|accent| {
            let style = brand::accent_style(accent);
            let reply = Reply::new("text/css; charset=utf-8", Keep::Forever, style);
            (brand::accent_path(accent), reply)
        });
        let files = logo.into_iter().chain(accent);
        Self(
            files
                .map(|(path, reply)| (path, reply.counted(budget)))
                .collect(),
        )
    }

    /// The file of a path.
    pub(super) fn get(&mut self, path: &str) -> Option<&mut Reply> {
        let mut files = self.0.iter_mut();
        files.find(|(own, _)| own == path).map(|(_, reply)| reply)
    }
}
