//! The alert machine's rules as timelines.

mod anything;
mod scene;
mod states;
mod told;
