#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketio_auth::jwt::fuzzing::token(data));
