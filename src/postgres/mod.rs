//! Rows to and from PostgreSQL. Knows tables and COPY; knows nothing of chunks' storage.

mod address;
mod apply;
mod blockers;
mod catalog;
mod connect;
mod copy_out;
mod error;
mod locks;
mod older;
mod session;
mod settings;
mod sql;

pub use apply::{Apply, Selection, Staged, Staging};
pub use catalog::{OutsideReference, existing_tables, refuse_incomplete};
pub use connect::{LOCK_TIMEOUT, named};
pub use copy_out::Pages;
pub use error::server_words;
pub use error::{DatabaseError, Trouble};
pub use older::MadeUp;
pub use session::{Session, Terminator};
