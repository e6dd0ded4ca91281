#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| media_cache_properties::index_log(data));
