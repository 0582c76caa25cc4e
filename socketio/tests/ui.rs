//! What the compiler says to the likeliest mistakes: it has to name the mistake and the cure.

#[test]
fn likely_mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
