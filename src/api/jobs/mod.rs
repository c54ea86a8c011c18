//! Jobs: look, cancel, follow.

pub mod cancel;
pub mod details;
pub mod events;
pub mod list;
