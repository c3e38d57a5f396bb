//! The web server: pages, metrics and the JSON API on a thread of their own, so that readers never move a check.

mod access;
mod api;
mod budget;
mod cache;
mod charts;
mod connections;
mod desk;
mod host;
mod monitor_page;
mod numbers;
mod pages;
mod past;
mod query;
mod reply;
mod rounds;
mod route;
pub mod server;
pub mod site;
mod view;
mod windows;
