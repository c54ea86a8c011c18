//! Use cases that keep a store in order: lists, verification, cleanup, annotations, statistics.

pub mod annotate;
pub mod cleanup;
pub mod connection;
pub mod consistency;
pub mod copy;
pub mod list;
pub mod stats;
pub mod store_check;
pub mod verify;
