//! Writes the seeds of the fuzz targets. usage: seeds FOLDER (native/fuzz/corpus)

use std::fs;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("usage: seeds FOLDER"));
    for (target, name, bytes) in lodestone_strangers::seeds::all() {
        fs::create_dir_all(folder.join(target))?;
        fs::write(folder.join(target).join(name), bytes)?;
    }
    Ok(())
}
