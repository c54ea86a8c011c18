//! HTTP, and nothing else: one file an endpoint, with its handler, its query and its description.
//! `calls` is the table of contents, `body` has the JSON documents.

mod access;
mod answer;
mod audit;
mod backup;
mod base_path;
pub mod body;
mod calls;
mod cleanup;
mod diff;
mod docs;
mod download;
mod error;
mod events;
mod extract;
mod guard;
mod health;
mod history;
mod import;
mod jobs;
mod limits;
mod listen;
mod metrics;
mod notify;
mod openapi;
mod page;
mod parts;
mod preview;
mod profile;
mod ready;
mod responses;
mod restore;
mod router;
mod schedule;
mod session;
mod settings;
mod size_history;
mod slots;
mod statistics;
mod verify;

pub use base_path::{BasePath, MalformedBasePath};
pub use guard::{Hosts, MalformedOrigin, Origins};
pub use listen::listen;
pub use openapi::{document, document_text};
pub use router::router;
pub use settings::Settings;
