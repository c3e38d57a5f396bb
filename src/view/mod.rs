//! Values to text: tables, JSON, mails, pages. Pure; writes to any `fmt::Write`.

pub mod atom;
pub mod audience;
pub mod badge;
pub mod check;
pub mod csv;
pub mod demo;
pub mod evidence;
pub mod explain;
pub mod history;
pub mod incidents;
pub mod json;
pub mod line_diff;
pub mod mail;
pub mod metrics;
pub mod nagios;
pub mod page;
pub mod replay;
pub mod report;
pub mod report_page;
pub mod rows;
pub mod sparkline;
pub mod status;
pub mod table;
pub mod terminal;
pub mod time_text;
pub mod wrap;
