//! The pages: server-rendered HTML that needs no JavaScript and loads nothing from elsewhere.

pub mod assets;
pub mod bars;
pub mod brand;
pub mod chart;
pub mod evidence;
pub mod frame;
pub mod monitor;
pub mod notices;
pub mod overview;
pub mod rows;
pub mod sparkline;
pub mod words;
