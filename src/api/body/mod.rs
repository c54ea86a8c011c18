//! The JSON documents that the API answers with, and that the command line prints with `--json`.
//!
//! A response body is a struct of this module, made of the plain value that the engine or the service
//! returned. A plain value that goes into a body as it is has only a description here.

pub(in crate::api) mod describe;
mod values;
