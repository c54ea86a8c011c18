//! Killed, interrupted, cut off, out of space, two at once, damaged: whatever happens to a run, the
//! database is as it was, the list has whole backups only, and the next run works.

mod disconnected;
mod interrupted;
mod killed;
mod relay;
mod running;
