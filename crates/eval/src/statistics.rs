//! Statistics: how sure a figure is, and a difference of two.
//!
//! All that draws is drawn from a seed, and comes to the same on every machine.

pub(crate) mod bootstrap;
pub mod correction;
pub mod distribution;
pub mod interval;
pub mod power;
pub(crate) mod randomisation;
pub mod right_wrong;
pub(crate) mod rows;
pub(crate) mod seeds;

pub use correction::{benjamini_hochberg, holm};
pub use interval::{Interval, bca_interval, percentile_interval, quantile};
pub use power::{Settling, Variance, detectable, settling};
pub use right_wrong::{Paired, mcnemar, newcombe, newcombe_paired, wilson};
