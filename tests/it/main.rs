//! Everything that is tested across module borders: one binary, one module a subject.

mod channels;
mod cli;
mod cluster_config;
mod config;
mod daemon;
mod fuzz;
mod import;
mod mails;
mod smtp;
mod store;
mod support;
mod tour;
mod web;
mod web_pages;
mod wire;
mod world;
