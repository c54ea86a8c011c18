//! Preview and restore: a backup's rows become the live ones.

pub mod fit;
pub mod load;
pub mod locks;
pub mod options;
pub mod preview;
pub mod records;
pub mod report;
pub mod scope;
pub mod stage;
pub mod transaction;
pub mod verify_result;
