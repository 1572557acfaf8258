//! The `lodestone-load` program against a scripted server.

mod support;

use std::path::PathBuf;
use std::process::{Output, Stdio};

use lodestone_map::{Map, encode};
use support::{NODES_MAX, Script, ScriptedServer};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A ring road of `nodes` crossings with a side road from crossing 0.
fn ring_map(nodes: u32) -> Map {
    let mut arcs: Vec<(u32, u32)> =
        (0..nodes).flat_map(|node| [(node, (node + 1) % nodes), (node, (node + nodes - 1) % nodes)]).collect();
    arcs.push((0, nodes / 2));
    arcs.sort_unstable();
    Map {
        nodes_latitude_e7: vec![390_000_000; nodes as usize],
        nodes_longitude_e7: vec![-750_000_000; nodes as usize],
        first_arc: (0..=nodes).map(|node| arcs.partition_point(|arc| arc.0 < node) as u32).collect(),
        targets: arcs.iter().map(|arc| arc.1).collect(),
        weights: vec![9; arcs.len()],
        unit_mm: 1_000,
        attribution: "made up".to_owned(),
    }
}

struct Bench {
    folder: tempfile::TempDir,
    server: ScriptedServer,
}

impl Bench {
    fn new(script: Script, map_nodes: u32) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let server = ScriptedServer::start(script);
        std::fs::write(folder.path().join("server.pem"), &server.pem).unwrap();
        std::fs::write(folder.path().join("map.lsg"), encode(&ring_map(map_nodes))).unwrap();
        Bench { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, more: &str) -> Command {
        let mut command = self.command_without_map(more);
        command.arg("--map").arg(self.path("map.lsg"));
        command
    }

    async fn run_without_map(&self, more: &str) -> Output {
        self.command_without_map(more).output().await.unwrap()
    }

    fn command_without_map(&self, more: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lodestone-load"));
        command
            .args(["--target", &self.server.address.to_string()])
            .arg("--certificate")
            .arg(self.path("server.pem"))
            .arg("--report")
            .arg(self.path("report.json"))
            .args(more.split_whitespace())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, more: &str) -> Output {
        self.command(more).output().await.unwrap()
    }
}

/// The number behind a key; reports are flat enough for that.
fn number(json: &str, key: &str) -> u64 {
    let at = json.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {json}"));
    let digits: String = json[at + key.len() + 3..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{key} is no number in {json}"))
}

fn stdout_lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn every_move_is_accounted_for() {
    let bench = Bench::new(Script { reject_every: Some(5), rollback_before: Some(7), ..Script::default() }, NODES_MAX);
    let output = bench.run("--connections 20 --rate 1000 --seconds 2 --seed 3").await;
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = stdout_lines(&output);
    assert!(lines[0].contains("\"event\":\"connecting\",\"done\":0,\"total\":20"), "{}", lines[0]);
    assert!(lines.iter().any(|line| line.contains("\"done\":20,\"total\":20")));
    assert_eq!(lines.iter().filter(|line| line.contains("\"event\":\"tick\"")).count(), 2);
    let done = lines.last().unwrap();
    assert!(done.starts_with("{\"event\":\"done\""), "{done}");
    // Each hunter sends the counters 1 to 100; every fifth is refused.
    assert_eq!(number(done, "connections"), 20);
    assert_eq!(number(done, "moves_sent"), 2_000);
    assert_eq!(number(done, "moves_acked"), 1_600);
    assert_eq!(number(done, "moves_rejected"), 400);
    assert_eq!(number(done, "moves_unanswered"), 0);
    assert!(done.contains("\"rejected_by_status\":{\"CONFLICT\":400}"), "{done}");
    assert_eq!(number(done, "rollbacks_seen"), 20);
    assert!(number(done, "p50") > 0 && done.contains("\"handshake_us\":{\"p50\":"), "{done}");
    assert_eq!(std::fs::read_to_string(bench.path("report.json")).unwrap().trim_end(), done);
}

#[tokio::test]
async fn connections_that_end_fail_the_run() {
    let bench = Bench::new(Script { close_at: Some(4), ..Script::default() }, 50);
    let output = bench.run("--connections 3 --rate 30 --seconds 1").await;
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    assert!(errors.contains("3 connections ended during the run") && errors.contains("SHUTTING_DOWN"), "{errors}");
    assert!(errors.contains("could not be sent"), "{errors}");
    let report = std::fs::read_to_string(bench.path("report.json")).unwrap();
    assert_eq!(number(&report, "connections_lost"), 3);
    assert_eq!(number(&report, "moves_acked"), 9);
    let sent = number(&report, "moves_sent");
    assert_eq!(number(&report, "moves_unanswered"), sent - 9);
}

#[tokio::test]
async fn an_interrupt_ends_the_run_with_its_report() {
    let bench = Bench::new(Script::default(), 50);
    let mut child: Child = bench
        .command("--connections 2 --rate 100 --seconds 600")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("\"event\":\"tick\"") {
            break;
        }
    }
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    assert!(child.wait().await.unwrap().success());
    assert!(last.contains("\"interrupted\":true"), "{last}");
    assert_eq!(number(&last, "moves_acked"), number(&last, "moves_due"));
    assert!(number(&last, "seconds") < 600);
}

#[tokio::test]
async fn a_silent_server_is_waited_for_until_the_second_interrupt() {
    let bench = Bench::new(Script { silent_from: Some(11), ..Script::default() }, 50);
    let mut child = bench
        .command("--connections 1 --rate 20 --seconds 1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("\"event\":\"tick\"") {
            break;
        }
    }
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    assert!(errors.contains("10 moves were neither acknowledged nor refused: 20 sent, 10 acknowledged"), "{errors}");
}

#[tokio::test]
async fn wrong_input_is_explained() {
    let bench = Bench::new(Script::default(), NODES_MAX + 1);
    let output = bench.run("--connections 1").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("1001 crossings, but the server takes only 1000"), "{}", stderr(&output));

    std::fs::write(bench.path("map.lsg"), b"no map").unwrap();
    let output = bench.run("--connections 1").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("map.lsg"), "{}", stderr(&output));

    let output = bench.run("--rate fast").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--rate: \"fast\" is not a number"), "{}", stderr(&output));

    let help = bench.run("--help").await;
    assert!(help.status.success());
    assert!(stdout_lines(&help).iter().any(|line| line.contains("--handshakes-at-once")));
}

#[tokio::test]
async fn a_refused_token_names_the_status() {
    let bench = Bench::new(Script { welcome_status: 9, ..Script::default() }, 50);
    std::fs::write(bench.path("token"), "00ff\n").unwrap();
    let more = format!("--connections 2 --token-file {}", bench.path("token").display());
    let output = bench.run(&more).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("UNAUTHORIZED (9)"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_grid_needs_no_map_and_the_histogram_holds_every_move() {
    let bench = Bench::new(Script::default(), 50);
    let histogram = bench.path("latency.hgrm");
    let more = format!(
        "--connections 3 --rate 200 --seconds 2 --nodes 100-199 --progress --histogram {}",
        histogram.display()
    );
    let output = bench.run_without_map(&more).await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("moves/s  p50"), "{}", stderr(&output));
    let text = std::fs::read_to_string(histogram).unwrap();
    let last = text.lines().rfind(|line| !line.starts_with('#')).unwrap();
    let done = stdout_lines(&output).pop().unwrap();
    let total = last.split_whitespace().nth(2).unwrap();
    assert!(done.contains(&format!("\"moves_acked\":{total},")), "{last}: {done}");

    let beyond = bench.run_without_map(&format!("--connections 1 --nodes 900-{NODES_MAX}")).await;
    assert!(stderr(&beyond).contains("beyond the server's last node, 999"), "{}", stderr(&beyond));
}

#[tokio::test]
async fn sessions_are_told_of_nodes_both_ways() {
    let config = "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=500\ngraph.nodes_max=1000\n\
                  graph.edges_max=4000\nrollback.window_mib=4\narena.bump_mib=2\nruntime.worker_threads=1\nfanout.policy=";
    let folder = tempfile::tempdir().unwrap();
    for (policy, way) in [("all", ""), ("all", "--latest"), ("none", "")] {
        let opening = format!("{config}{policy}");
        let engine =
            tokio::task::spawn_blocking(move || lodestone_runtime::Engine::open(&opening, 0).unwrap()).await.unwrap();
        let certificate = folder.path().join("server.pem");
        std::fs::write(&certificate, &engine.description().certificate_pem).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lodestone-load"));
        command.arg("--target").arg(engine.description().address.to_string()).arg("--certificate").arg(&certificate);
        let more = format!("--connections 4 --rate 400 --seconds 1 --nodes 0-99 --subscribe 100 {way}");
        let output = command.args(more.split_whitespace()).kill_on_drop(true).output().await.unwrap();
        if policy == "none" {
            assert!(stderr(&output).contains("may not subscribe to node 0: FORBIDDEN"), "{}", stderr(&output));
        } else {
            assert!(output.status.success(), "{way}: {}", stderr(&output));
            let done = stdout_lines(&output).pop().unwrap();
            // Each of the four is told of each move, or of a newer one.
            let known = number(&done, "updates") + number(&done, "updates_missed");
            assert!(known > 800 && known <= 1_600, "{way}: {done}");
            assert!(done.contains("\"delivery_us\":{\"p50\":"), "{done}");
        }
        tokio::task::spawn_blocking(move || engine.close()).await.unwrap();
    }
}
