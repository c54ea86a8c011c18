//! Rows to and from PostgreSQL. Knows tables and COPY; knows nothing of chunks' storage.

mod apply;
mod catalog;
mod copy_out;
mod error;
mod locks;
mod older;
mod session;
mod sql;

pub use apply::{Apply, Selection, Staged, Staging};
pub use catalog::{OutsideReference, existing_tables, refuse_incomplete};
pub use copy_out::Pages;
pub use error::server_words;
pub use error::{DatabaseError, Trouble};
pub use older::MadeUp;
pub use session::{Session, Terminator, named};
