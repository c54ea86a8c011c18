//! The integration tests: one binary, so that all of them share one private PostgreSQL.

mod embedded;
mod store;
mod support;
