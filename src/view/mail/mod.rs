//! All mails as text and HTML: what each says in its file, how it looks in `text` and `html`.

mod burn;
pub mod context;
mod curl;
mod degraded;
mod diagnosis;
mod digest;
mod digest_rows;
mod down;
mod footer;
mod html;
mod locations;
mod named;
mod outline;
mod recovery;
pub mod render;
pub mod rendered;
mod report;
mod reproduce;
mod subject;
mod system;
mod text;
mod words;

pub use words::cause_name as words_of_cause;
pub use words::cause_word;
pub use words::hold as words_of_hold;
