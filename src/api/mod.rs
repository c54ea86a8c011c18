//! HTTP, and nothing else: one file an endpoint, with its handler, its query, its answer and its
//! description. `router` is the table of contents.

mod access;
mod answer;
mod backup;
mod cleanup;
mod diff;
mod docs;
mod download;
mod error;
mod events;
mod extract;
mod history;
mod hygiene;
mod import;
mod jobs;
mod openapi;
mod page;
mod pending;
mod preview;
mod restore;
mod router;
mod statistics;
mod verify;

pub use openapi::{document, document_text};
pub use router::{Settings, router};
