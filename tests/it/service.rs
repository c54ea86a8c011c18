//! What makes the service safe to run and keeps it running by itself.

mod absence;
mod access;
mod audit;
mod hostile;
mod idle;
mod lasting;
mod schedule;
mod secrets;
mod told;
mod verification;
mod vitals;
