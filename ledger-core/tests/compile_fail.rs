//! What must not compile. A process of its own, because it runs the compiler.

#[test]
fn histories_that_do_not_fit_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/schema_*.rs");
}
