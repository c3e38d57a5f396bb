//! The alert machine's rules as timelines.

mod anything;
mod cuts;
mod documented;
mod places;
mod scene;
mod states;
mod told;
