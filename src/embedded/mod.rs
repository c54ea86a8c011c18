//! A private PostgreSQL with the IPAM schema and a sample address plan, for the demo, the embedded
//! service and the tests. It touches no server that is already running and listens on no port.

mod account;
mod databases;
mod error;
mod postgres;
mod programs;
pub mod sample;
mod watchdog;

pub use databases::{PLAN_OWNER, apply_schema};
pub use error::EmbeddedError;
pub use postgres::{Options, PrivatePostgres};
