//! What makes the service safe to run and keeps it running by itself.

mod absence;
mod access;
mod audit;
mod deployed;
mod first_start;
mod heartbeat;
mod hostile;
mod idle;
mod lasting;
mod mail;
mod notify;
mod schedule;
mod secrets;
mod told;
mod verification;
mod vitals;
