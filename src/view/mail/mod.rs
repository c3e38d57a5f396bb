//! All mails as text and HTML: what each says in its file, how it looks in `text` and `html`.

mod about_us;
pub mod context;
mod curl;
mod diagnosis;
mod digest;
mod doc;
mod down;
mod html;
mod notes;
mod recovery;
pub mod render;
pub mod rendered;
mod report;
mod subject;
mod text;
mod words;

pub use words::cause_name as words_of_cause;
pub use words::hold as words_of_hold;
