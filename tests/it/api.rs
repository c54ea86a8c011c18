//! The API: the tests mirror its paths.

mod backups;
mod diff;
mod events;
mod jobs;
mod limits;
mod openapi;
mod page;
mod problems;
mod restore;
mod schemathesis;
mod serve;
mod upkeep;
