//! The engine's life: open, load, say READY, wait for the end, close.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lodestone_runtime::Engine;
use tempfile::TempDir;

use crate::config::{self, Loaded};
use crate::log::LogLines;
use crate::options::Options;
use crate::signals::Signals;

/// What the region's header says of the C edge: this program has none.
const ABI_NONE: u64 = 0;

/// How often a failed engine is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Longest part of a graph load between two looks at the signals.
const LOAD_STEP: Duration = Duration::from_millis(200);

/// Long enough for the system to hand over a signal that came before.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Serves until a signal. What was opened is closed in every case.
///
/// # Errors
/// What went wrong, in words.
pub(crate) fn serve(options: &Options) -> Result<(), String> {
    let loaded = config::load(&options.config, options.port).map_err(|refusal| refusal.to_string())?;
    let mut signals = Signals::take()?;
    let engine = Engine::open(&loaded.flat, ABI_NONE).map_err(|error| loaded.explain(&error))?;
    let log =
        LogLines::start(engine.log().reader(0)).map_err(|error| format!("cannot start the log's thread: {error}"));
    let served = log.and_then(|log| {
        let served = run(&engine, &loaded, options, &mut signals);
        engine.close();
        log.end();
        served
    });
    engine.close();
    served
}

fn run(engine: &Engine, loaded: &Loaded, options: &Options, signals: &mut Signals) -> Result<(), String> {
    let certificate = CertificateFile::of(engine, loaded.certificate.as_deref()).map_err(|error| {
        format!("cannot write the certificate for clients: {error}; make the folder for temporary files writable")
    })?;
    if let Some(graph) = &options.graph {
        load(engine, graph, signals)?;
    }
    if !signals.came_within(AT_ONCE) {
        say_ready(engine, certificate.path()).map_err(|error| format!("cannot write the READY line: {error}"))?;
    }
    let mut failed = false;
    while !signals.came_within(LOOK) {
        if signals.hung_up() {
            tell(&reload(engine, options));
        }
        if !failed && let Some(text) = engine.poison_text() {
            failed = true;
            let revision = engine.revision();
            tell(&format!(
                "the engine failed and is frozen at revision {revision} ({text}); it stays readable until the end"
            ));
        }
    }
    // The text once more, as the reason for the exit status: a log may have been cut in between.
    engine.poison_text().map_or(Ok(()), |text| Err(format!("the engine had failed: {text}")))
}

/// Reads the configuration again and takes up what it says of certificates and tokens; in words, what became of it.
fn reload(engine: &Engine, options: &Options) -> String {
    let loaded = config::load(&options.config, options.port).map_err(|refusal| refusal.to_string());
    let reloaded =
        loaded.and_then(|loaded| engine.reload_identity(&loaded.flat).map_err(|error| loaded.explain(&error)));
    match reloaded {
        Ok(()) => {
            let hex: String = engine.certificate().1.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("certificate and token keys were read again; certificate SHA-256 {hex}")
        }
        Err(problem) => format!("certificate and token keys stay as they were: {problem}"),
    }
}

/// A load that a signal ends.
fn load(engine: &Engine, graph: &Path, signals: &mut Signals) -> Result<(), String> {
    let told = |error: lodestone_runtime::EngineError| format!("{}: {error}", graph.display());
    let mut load = engine.begin_file_load(graph).map_err(told)?;
    while !load.step(engine, LOAD_STEP).map_err(told)?.finished {
        if signals.came_within(AT_ONCE) {
            return Ok(());
        }
    }
    let report = load.finish(engine).map_err(told)?;
    tell(&format!("{}: {} arcs in {} ms", graph.display(), report.arcs, report.nanoseconds / 1_000_000));
    Ok(())
}

/// Says something on standard error. Nobody may be there to read it: then it goes on all the same.
fn tell(what: &str) {
    let _ = writeln!(io::stderr(), "lodestoned: {what}");
}

fn say_ready(engine: &Engine, certificate: &Path) -> io::Result<()> {
    let about = engine.description();
    let region = about.region_path.as_deref().unwrap_or(Path::new(""));
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "LODESTONE READY quic={} cert={} pid={} region={}",
        about.address,
        certificate.display(),
        std::process::id(),
        region.display()
    )?;
    out.flush()
}

/// The certificate for clients: the configured one, or the engine's own, in a folder that goes with this value.
struct CertificateFile {
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl CertificateFile {
    fn of(engine: &Engine, configured: Option<&Path>) -> io::Result<CertificateFile> {
        if let Some(path) = configured {
            return Ok(CertificateFile { path: path.to_owned(), _folder: None });
        }
        // Mode 0700, under a name that nobody can foresee.
        let folder = tempfile::Builder::new().prefix("lodestoned-").tempdir()?;
        let path = folder.path().join("certificate.pem");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(engine.description().certificate_pem.as_bytes())?;
        Ok(CertificateFile { path, _folder: Some(folder) })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
