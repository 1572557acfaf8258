//! A certificate that all servers of a run share, so that each signs with the same kind of key.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes `cert.pem` and `key.pem` (ECDSA P-256, for localhost and 127.0.0.1) into the folder.
pub(crate) fn write(folder: &Path) -> Result<(), String> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| error.to_string())?;
    let said = |error: std::io::Error| format!("cannot write into {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(said)?;
    fs::write(folder.join("cert.pem"), made.cert.pem()).map_err(said)?;
    let key = folder.join("key.pem");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(key)
        .map_err(said)?;
    std::io::Write::write_all(&mut file, made.signing_key.serialize_pem().as_bytes()).map_err(said)
}
