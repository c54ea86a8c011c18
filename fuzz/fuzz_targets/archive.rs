#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipam_rewind_fuzz::archive(bytes));
