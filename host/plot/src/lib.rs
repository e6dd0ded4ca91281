//! Draws miss ratio curves as SVG, for `media-cache simulate` and for the dashboard of the service.
//!
//! Curves are plain data, so this crate depends on neither the simulator nor the cache.
//!
//! ```
//! use media_cache_plot::{Curve, Plot, Point};
//!
//! let points = vec![Point::new(1 << 20, 0.6, 0.7), Point::new(2 << 20, 0.4, 0.5)];
//! let svg = Plot::new(vec![Curve::new("lru", points)]).svg()?;
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), media_cache_plot::PlotError>(())
//! ```

mod accessible;
mod capacity;
mod curve;
mod draw;
mod legend;
mod plot;
mod svg;
mod theme;

pub use curve::{Curve, Point};
pub use plot::{Layout, Mark, Plot};
pub use svg::PlotError;
pub use theme::{Palette, Theme};
