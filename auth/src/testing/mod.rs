//! What tests of authentication are made of. Behind the feature `testing`.

mod fake_clock;

pub use fake_clock::FakeClock;
