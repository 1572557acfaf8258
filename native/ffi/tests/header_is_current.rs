//! The checked-in header is what cbindgen makes of this crate today.

use std::path::Path;

#[test]
fn the_header_is_what_cbindgen_makes_of_this_crate() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_folder.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::generate_with_config(crate_folder, config).unwrap().write(&mut made);
    let checked_in = std::fs::read(crate_folder.join("include/lodestone.h")).unwrap();
    assert!(
        made == checked_in,
        "native/ffi/include/lodestone.h is out of date: run `make header`, then `make bindings`"
    );
}
