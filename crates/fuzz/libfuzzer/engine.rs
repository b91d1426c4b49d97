//! `cargo fuzz run --fuzz-dir crates/fuzz engine`
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twinstore_fuzz::engine(bytes));

#[cfg(not(fuzzing))]
fn main() {
    println!("libFuzzer runs this: see \"Fuzzing\" in docs/RELIABILITY.md");
}
