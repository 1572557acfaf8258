//! The `lodestone-probe` program against a scripted server and against a real engine.

mod support;

use std::process::{Output, Stdio};

use lodestone_runtime::Engine;
use support::{Script, ScriptedServer};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs the program with these commands to its end.
async fn probe(address: &str, pem: &str, commands: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("server.pem");
    std::fs::write(&certificate, pem).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lodestone-probe"))
        .args(["--target", address, "--certificate"])
        .arg(&certificate)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that ended before it read everything is judged by its output.
    let _ = stdin.write_all(commands.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

async fn scripted(script: Script, commands: &str) -> (i32, Vec<String>, String) {
    let server = ScriptedServer::start(script);
    told(probe(&server.address.to_string(), &server.pem, commands).await)
}

/// Exit status, the lines of standard output but the welcome and the frames sent, and standard error.
fn told(output: Output) -> (i32, Vec<String>, String) {
    let lines = String::from_utf8(output.stdout).unwrap();
    let answers = lines.lines().filter(|line| !line.contains("\"welcome\"") && !line.contains("\"frame\""));
    (output.status.code().unwrap(), answers.map(str::to_owned).collect(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_script_is_carried_out_to_its_last_answer() {
    let engine = Engine::open(
        "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=500\ngraph.nodes_max=1000\n\
         graph.edges_max=4000\nrollback.window_mib=1\narena.bump_mib=2\nruntime.worker_threads=1\n",
        0,
    )
    .unwrap();
    let description = engine.description();
    let commands = "hold\nmove 1 2 0x10003 payload 0809\nmove 1 2 1 version 7\nread 1\ngo\n\
                    stream 5\nrelease 3\nroute 1 1000\nfinish\nread 1\nstream 6\n\
                    datagram counter 40\ndatagram release 9 each\n";
    let output = probe(&description.address.to_string(), &description.certificate_pem, commands).await;
    let sent: Vec<String> = String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .filter(|line| line.contains("\"frame\""))
        .map(str::to_owned)
        .collect();
    assert_eq!(sent[0], r#"{"event":"frame","stream":0,"type":"move","counter":1}"#);
    assert_eq!(sent[3], r#"{"event":"frame","stream":5,"type":"release","counter":0}"#);
    assert_eq!(sent[5], r#"{"event":"frame","datagram":true,"type":"release","counter":40}"#);
    assert_eq!(sent.len(), 6);
    let (exit, mut lines, errors) = told(output);
    assert_eq!(exit, 1, "{errors}");
    assert_eq!(errors, "lodestone-probe: line 10: stream 5 was finished; go to another one with 'stream N'\n");
    lines.sort();
    let has = |line: &str| assert!(lines.iter().any(|found| found.starts_with(line)), "no {line} in {lines:#?}");
    has(r#"{"event":"reject","stream":0,"counter":2,"status":"CONFLICT","status_code":5,"node":1}"#);
    has(
        r#"{"event":"state","stream":0,"counter":3,"revision":1,"active":true,"source":1,"target":2,"edge_mask":65539,"weight":3,"version":1,"payload":"0809","slot":"01000000"#,
    );
    has(r#"{"event":"reject","stream":5,"counter":0,"status":"NO_SLOT","status_code":14,"node":3}"#);
    has(r#"{"event":"reject","stream":5,"counter":1,"status":"OUT_OF_BOUNDS","status_code":3,"node":1000}"#);
    has(r#"{"event":"reject","datagram":true,"counter":40,"status":"NO_SLOT","status_code":14,"node":9}"#);
    assert_eq!(lines.iter().filter(|line| line.contains("\"ended\"")).count(), 3, "{lines:#?}");
    tokio::task::spawn_blocking(move || engine.close()).await.unwrap();
}

#[tokio::test]
async fn a_line_that_is_no_command_is_told_and_the_others_are_carried_out() {
    let (exit, lines, errors) = scripted(Script::default(), "jump 3\n# a comment\n\nread 7\n").await;
    assert_eq!(exit, 2);
    assert!(errors.starts_with("lodestone-probe: line 1: \"jump\" is no command"), "{errors}");
    assert!(lines[0].contains(r#""event":"state","stream":0,"counter":1,"revision":6,"active":true,"source":7"#));
}

#[tokio::test]
async fn an_end_that_was_not_asked_for_is_a_failure() {
    let script = Script { close_at: Some(2), ..Script::default() };
    let (exit, lines, errors) = scripted(script, "move 1 2 3\nmove 1 2 3\n").await;
    assert_eq!(exit, 1);
    let expected = [
        r#"{"event":"ack","stream":0,"counter":1,"revision":6}"#,
        r#"{"event":"close","status":"SHUTTING_DOWN","status_code":13,"text":"over"}"#,
    ];
    assert_eq!(lines, expected);
    assert_eq!(errors, "lodestone-probe: the server closed the connection: SHUTTING_DOWN (13) \"over\"\n");

    let script = Script { welcome_status: 9, ..Script::default() };
    let (exit, lines, _) = scripted(script, "").await;
    assert_eq!(exit, 1);
    assert_eq!(lines, [r#"{"event":"refused","status":"UNAUTHORIZED","status_code":9,"text":""}"#]);

    let script = Script { garbage_at: Some(1), ..Script::default() };
    let (exit, _, errors) = scripted(script, "move 1 2 3\n").await;
    assert_eq!(exit, 1);
    assert!(errors.contains("the server broke the protocol"), "{errors}");
}

#[tokio::test]
async fn the_command_line_is_checked() {
    let run = async |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_lodestone-probe")).args(arguments).output().await.unwrap()
    };
    let help = run(&["--help"]).await;
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("datagram counter N"));
    for (arguments, expected) in [
        (&["--target", "127.0.0.1:1"][..], "--certificate FILE is missing\nTry 'lodestone-probe --help'.\n"),
        (&["--map", "x"], "unknown option --map"),
        (&["--target"], "--target needs a value"),
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(2));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(expected), "{errors}");
    }
}
