//! The integration tests: one binary, so that all of them share one private PostgreSQL.

mod api;
mod archive;
mod capture;
mod cli;
mod connect;
mod coverage;
mod demo;
mod embedded;
mod faults;
mod figures;
mod fuzz;
mod golden;
mod history;
mod layering;
mod order;
mod packaging;
mod power_loss;
mod priority;
mod reliability;
mod restore_cases;
mod retention;
mod service;
mod store;
mod support;
mod terminal;
mod versions;
