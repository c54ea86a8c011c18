//! The bodies that the services document, one file a service.

pub mod discord;
pub mod gotify;
pub mod ntfy;
pub mod slack;
pub mod teams;
