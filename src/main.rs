//! The program `ipam-rewind`.

fn main() {}
