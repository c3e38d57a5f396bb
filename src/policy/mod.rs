//! Decisions as pure functions: state, event and `now` in, values out.
