//! Wiring: the only place that spawns.
