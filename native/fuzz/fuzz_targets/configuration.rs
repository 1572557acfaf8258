#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lodestone_strangers::run("configuration", input));
