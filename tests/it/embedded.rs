//! The private PostgreSQL, its schema and the sample plan.

mod sample;
mod schema;
mod server;
