//! Rows to and from PostgreSQL. Knows tables and COPY; knows nothing of chunks' storage.

mod address;
mod apply;
mod blockers;
mod catalog;
mod changed;
mod connect;
mod copy_out;
mod drift;
mod error;
mod legacy;
mod legacy_check;
mod locks;
mod read_point;
mod relation;
mod sequences;
mod session;
mod settings;
mod snapshot;
mod sql;
mod surroundings;
mod unreadable;

pub use apply::{
    Apply, Chosen, Lines, Load, Records, Rules, ScopeValue, Selection, Since, Staged, Staging,
};
pub use catalog::OutsideReference;
pub use changed::Changed;
pub use connect::LOCK_TIMEOUT;
pub use copy_out::Pages;
pub use drift::AddedColumn;
pub use error::server_words;
pub use error::{Cell, DatabaseError, Trouble};
pub use legacy::{MadeUp, TABLES as OLDER_TABLES};
pub use relation::{Below, Relation, Site};
pub use session::{Session, Terminator};
pub use surroundings::{Surroundings, TableTrigger};
