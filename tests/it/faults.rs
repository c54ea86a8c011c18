//! Killed, interrupted, cut off, out of space, two at once, damaged: whatever happens to a run, the
//! database is as it was, the list has whole backups only, and the next run works.

mod bucket;
mod contradictions;
mod damage;
mod dialects;
mod disconnected;
mod disk;
mod flips;
mod interrupted;
mod killed;
mod permissions;
mod read_only;
mod refused;
pub mod relay;
pub mod running;
mod silent;
mod silent_store;
mod suspended;
mod together;
mod unreadable;
mod verifying;
