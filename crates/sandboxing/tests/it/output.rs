//! What a command writes, and how much of it arrives.

use super::*;

#[tokio::test]
async fn a_flood_is_cut_in_the_middle() {
    let directory = tempfile::tempdir().unwrap();
    let command = Command {
        output_limit: 10_000,
        ..script(
            "echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last",
            directory.path(),
            &[],
        )
    };
    let (output, exit) = run(command).await;
    assert_eq!(exit, SUCCESS);
    assert!(output.starts_with("first\nxxx") && output.ends_with("xxx\nlast\n"));
    assert!(output.contains("[49990012]"), "{}", output.replace('x', ""));
    assert_eq!(output.len(), 10_000 + "[49990012]".len());
}

#[tokio::test]
async fn an_endless_flood_ends_at_the_time_limit() {
    let directory = tempfile::tempdir().unwrap();
    let command = Command {
        time_limit: Duration::from_millis(300),
        output_limit: 1000,
        ..script("yes", directory.path(), &[])
    };
    let (output, exit) = run(command).await;
    assert_eq!(exit.ending, Ending::TimedOut);
    assert!(output.len() < 1100);
}

#[tokio::test]
async fn both_streams_keep_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let text = "for i in 1 2 3; do echo out $i; echo err $i >&2; done";
    let (output, _) = run(script(text, directory.path(), &[])).await;
    assert_eq!(output, "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
}

#[tokio::test]
async fn bytes_pass_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let text = r"printf '\000\377\012\200abc\r\n'";
    let running = spawner.run(script(text, directory.path(), &[])).await.unwrap();
    assert_eq!(finish(running).await.0, b"\x00\xff\x0a\x80abc\r\n");
}

#[tokio::test]
async fn a_reader_that_stops_halfway_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let command = Command {
        output_limit: 4 << 20,
        ..script("head -c 1000000 /dev/zero", directory.path(), &[])
    };
    let mut running = spawner.run(command).await.unwrap();
    let mut seen = 0;
    loop {
        // Dropped again and again while it waits.
        match tokio::time::timeout(Duration::from_micros(50), running.next()).await {
            Err(_) => (),
            Ok(Some(RunEvent::Output(bytes))) => seen += bytes.len(),
            Ok(Some(RunEvent::Exited(exit))) => {
                assert_eq!((seen, exit), (1_000_000, SUCCESS));
                return;
            }
            Ok(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn standard_input_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run(script("cat; echo end", directory.path(), &[])).await.0, "end\n");
}

#[tokio::test]
async fn errors_can_be_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let command = Command {
        errors: Errors::Discarded,
        ..script("echo out; echo err >&2", directory.path(), &[])
    };
    assert_eq!(run(command).await.0, "out\n");
}
