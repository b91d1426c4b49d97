//! Goal: the log does what every log must do.

mod common;

use twinstore_server::log::conformance;

#[test]
fn the_log_conforms() {
    conformance::check(&|| Box::new(common::open(&common::prefix())));
}
