//! The service as it is installed: in Docker Compose, on Kubernetes, with systemd, behind a proxy, by the
//! documented script.

mod alerts;
mod compose;
mod docs;
mod existing;
mod kubernetes;
mod proxy;
mod script;
mod systemd;
