//! Snapshots, row-level diffs and a proven rewind for the database of an IPAM application.
//!
//! The modules stand in the order of the data flow; each knows only those above it:
//!
//! ```text
//! model ← tree ← store ← engine ← service ← api
//! model ← tree ← postgres ← engine ← cli
//! ```
//!
//! Beside the flow stand [`threads`], on whose threads the store and the engine compute, and [`tls`].

pub mod api;
pub mod cli;
pub mod embedded;
pub mod engine;
pub mod model;
pub mod postgres;
pub mod service;
pub mod store;
pub mod threads;
pub mod tls;
pub mod tree;
