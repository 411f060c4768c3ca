//! Tears, locks and full disks.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::{Event, EventBody, InputSource, Item, ItemBody, ItemId, ThreadId, TurnId};
use rollout::{Error, Meta, Store};

pub(crate) fn at() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_795_472_360_042)
}

pub(crate) fn meta() -> Meta {
    Meta {
        thread: ThreadId::from("019a-1"),
        at: at(),
        cwd: PathBuf::from("/w"),
        originator: "duet".to_owned(),
        version: "0.0.0".to_owned(),
        source: "exec".to_owned(),
        model_provider: "local".to_owned(),
        branch: Some("main".to_owned()),
    }
}

pub(crate) fn event(body: EventBody) -> Event {
    Event { thread: meta().thread, seq: 0, at: at(), body }
}

fn words(text: &str) -> Event {
    let body = ItemBody::UserMessage { text: text.to_owned(), source: InputSource::Typed };
    let item = Item { id: ItemId::from("i"), body };
    event(EventBody::ItemCompleted { turn: TurnId::from("t1"), item })
}

fn started() -> Event {
    event(EventBody::TurnStarted { turn: TurnId::from("t1"), source: InputSource::Typed })
}

fn count(store: &Store) -> (usize, u32) {
    let session = store.read(&meta().thread).expect("the log is readable");
    (session.turns[0].items.len(), session.skipped)
}

#[test]
fn file_is_named_by_time_and_thread_and_is_private() {
    let home = tempfile::tempdir().unwrap();
    let writer = Store::new(home.path()).create(&meta()).unwrap();
    let path = writer.path().strip_prefix(home.path()).unwrap();
    assert_eq!(path, PathBuf::from("sessions/2026/11/23/rollout-2026-11-23T22-19-20-019a-1.jsonl"));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(writer.path()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn every_tear_of_the_last_line_is_tolerated_and_cut_off() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let mut writer = store.create(&meta()).unwrap();
    writer.append(&started()).unwrap();
    writer.append(&words("one")).unwrap();
    let whole = fs::read(writer.path()).unwrap().len();
    writer.append(&words("two \u{1F600}")).unwrap();
    let path = writer.path().to_owned();
    let log = fs::read(&path).unwrap();
    drop(writer);

    for torn in whole..log.len() {
        fs::write(&path, &log[..torn]).unwrap();
        assert_eq!(count(&store), (1, 0), "torn at {torn}");
        let (session, mut writer) = store.reopen(&meta().thread).unwrap();
        assert_eq!(session.turns[0].items.len(), 1);
        writer.append(&words("three")).unwrap();
        drop(writer);
        assert_eq!(count(&store), (2, 0), "after {torn}");
        let ordinals: Vec<u64> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| line["ordinal"].as_u64().unwrap())
            .collect();
        assert_eq!(ordinals, [0, 1, 2, 3]);
    }
}

#[test]
fn what_a_newer_version_wrote_is_skipped_and_counted() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let mut writer = store.create(&meta()).unwrap();
    writer.append(&started()).unwrap();
    let mut file = OpenOptions::new().append(true).open(writer.path()).unwrap();
    file.write_all(
        b"{\"timestamp\":\"x\",\"type\":\"hologram\",\"payload\":{}}\nnot JSON\n\xFF\xFE\n",
    )
    .unwrap();
    writer.append(&words("one")).unwrap();
    assert_eq!(count(&store), (1, 3));
}

#[test]
fn second_writer_is_refused_until_the_first_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let writer = store.create(&meta()).unwrap();
    let refused = store.reopen(&meta().thread).unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    drop(writer);
    store.reopen(&meta().thread).unwrap();
}

#[test]
fn unknown_threads_and_strange_ids_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let unknown = store.read(&ThreadId::from("../../etc/passwd")).unwrap_err();
    assert!(matches!(unknown, Error::Unknown { .. }), "{unknown}");
    let strange = Meta { thread: ThreadId::from("../x"), ..meta() };
    let refused = store.create(&strange).unwrap_err();
    assert!(matches!(refused, Error::Write { .. }), "{refused}");
    // Part of an id is not the id.
    store.create(&meta()).unwrap();
    assert!(matches!(store.read(&ThreadId::from("1")).unwrap_err(), Error::Unknown { .. }));
}

#[test]
fn unwritable_home_is_named() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("sessions"), "a file").unwrap();
    let error = Store::new(home.path()).create(&meta()).unwrap_err().to_string();
    let path = home.path().join("sessions/2026/11/23");
    assert!(error.starts_with(&format!("cannot write {}", path.display())), "{error}");
}

#[test]
fn list_is_newest_first_and_shows_the_first_words() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    assert_eq!(store.list(10), []);
    for day in 0..3 {
        let at = at() + Duration::from_secs(86_400 * 30 * day);
        let meta = Meta { thread: ThreadId::new(format!("th-{day}")), at, ..meta() };
        let mut writer = store.create(&meta).unwrap();
        writer.append(&started()).unwrap();
        writer.append(&words(&format!("words {day}"))).unwrap();
        writer.append(&words("later words")).unwrap();
    }
    fs::write(home.path().join("sessions/2026/11/23/notes.txt"), "x").unwrap();
    fs::write(home.path().join("sessions/2026/11/23/rollout-x.jsonl"), "x").unwrap();
    let listed: Vec<(String, String)> = store
        .list(2)
        .into_iter()
        .map(|summary| (summary.meta.thread.to_string(), summary.preview))
        .collect();
    let expected = [("th-2", "words 2"), ("th-1", "words 1")];
    assert_eq!(listed, expected.map(|(id, words)| (id.to_owned(), words.to_owned())));
    assert_eq!(store.list(9).len(), 3);
}

/// JSON cannot say such a name; the thread must not lose its log for it.
#[test]
fn a_folder_whose_name_is_not_utf8_has_a_log() {
    let cwd = PathBuf::from(std::ffi::OsStr::from_bytes(b"/w/caf\xE9"));
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let mut writer = store.create(&Meta { cwd, ..meta() }).unwrap();
    writer.append(&started()).unwrap();
    writer.append(&words("one")).unwrap();
    assert_eq!(count(&store), (1, 0));
    assert_eq!(store.list(1)[0].meta.cwd, PathBuf::from("/w/caf\u{FFFD}"));
}

/// Set in the process that has a full disk.
const FULL: &str = "DUET_TEST_FULL_DISK";

/// Runs `test` again, in a process where no file may grow over `blocks` of a kilobyte: that
/// stands for a full disk.
fn in_a_process_with(blocks: u32, test: &str) {
    let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$@\"");
    let status = std::process::Command::new("bash")
        .args(["-c", &script, "bash"])
        .arg(std::env::current_exe().expect("this test has a program"))
        .args(["--exact", test])
        .env(FULL, "1")
        .stdout(std::process::Stdio::null())
        .status()
        .expect("bash runs");
    assert!(status.success(), "{status}");
}

fn make_room() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).expect("it was so before");
}

/// Nothing is lost and nothing is torn when the disk is full for a while.
#[test]
fn full_disk_keeps_the_lines_until_there_is_room() {
    if std::env::var_os(FULL).is_none() {
        return in_a_process_with(2, "log::full_disk_keeps_the_lines_until_there_is_room");
    }
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let mut writer = store.create(&meta()).unwrap();
    writer.append(&started()).unwrap();
    let long = words(&"x".repeat(700));
    writer.append(&long).unwrap();
    for lines in 2..5 {
        let error = writer.append(&long).unwrap_err();
        assert!(matches!(error, Error::Write { .. }), "{error}");
        assert_eq!(count(&store), (1, 0), "line {lines} was torn");
    }
    make_room();
    writer.append(&words("last")).unwrap();
    assert_eq!(count(&store), (5, 0));
}

/// A log that could not be begun leaves nothing behind that is in the way of the next try.
#[test]
fn full_disk_at_the_first_line_costs_no_log() {
    if std::env::var_os(FULL).is_none() {
        return in_a_process_with(0, "log::full_disk_at_the_first_line_costs_no_log");
    }
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    for _ in 0..2 {
        let error = store.create(&meta()).unwrap_err();
        let Error::Write { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.kind(), std::io::ErrorKind::FileTooLarge, "{error}");
        assert!(matches!(store.find(&meta().thread), Err(Error::Unknown { .. })));
    }
    make_room();
    let mut writer = store.create(&meta()).unwrap();
    writer.append(&started()).unwrap();
    writer.append(&words("one")).unwrap();
    assert_eq!(count(&store), (1, 0));
}
