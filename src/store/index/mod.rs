//! Which chunk lies where, put together from packs and index objects.

pub mod deletion_marks;
pub mod load;
pub mod location;
pub mod lookup;
