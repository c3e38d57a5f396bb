//! The alert machine's rules as timelines.

mod anything;
mod documented;
mod scene;
mod states;
mod told;
