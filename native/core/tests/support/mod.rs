//! What several test binaries share; each uses its part.
#![allow(dead_code, reason = "no test binary uses all of it")]

pub(crate) mod engine;
pub(crate) mod graph;
pub(crate) mod model;
pub(crate) mod random;
