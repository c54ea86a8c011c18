//! The service as it is installed: in Docker Compose, behind a proxy, by the documented script.

mod compose;
mod docs;
mod proxy;
mod script;
