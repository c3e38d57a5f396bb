//! The web server: pages, metrics and the JSON API on a thread of their own, so that readers never move a check.

mod announced_maintenance;
mod answer_thread;
mod api;
mod auth;
mod brand_files;
mod budget;
mod cache;
mod charts;
mod connections;
mod evidence;
mod handler;
mod history_cache;
mod history_refresher;
mod host_header;
mod metrics;
mod monitor_page;
mod pages;
mod query;
mod reply;
mod route;
pub mod server;
pub mod sources;
mod visible;
