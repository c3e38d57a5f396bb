//! All mails as text and HTML.

pub mod rendered;
