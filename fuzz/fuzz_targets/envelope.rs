#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::run(actr_lite_fuzz_targets::envelope, bytes));
