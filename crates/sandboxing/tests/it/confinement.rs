//! What a confined command can and cannot do.

use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use super::*;

#[tokio::test]
async fn writes_are_limited_to_the_roots() {
    let inside = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let precious = outside.path().join("precious");
    std::fs::write(&precious, "data").unwrap();
    // Each line prints its name only if it could be done.
    let attempts = format!(
        "
        exec 2>/dev/null
        out={out}
        echo x > in && echo inside
        mkdir d && mv in d/in && ln -s d l && rm -r d l && echo moved inside
        echo x > $out/new && echo outside create
        echo x > $out/precious && echo outside overwrite
        echo x >> $out/precious && echo outside append
        rm -f $out/precious && echo outside remove
        mv $out/precious ./ && echo outside move
        mkdir $out/d && echo outside mkdir
        ln -s / $out/l && echo outside link
        mkfifo $out/f && echo outside fifo
        truncate -s 0 $out/precious && echo outside truncate
        ln -s $out esc; echo x > esc/new && echo outside by link
        ln $out/precious hard && echo x > hard && echo outside by hard link
        python3 -c 'import os; os.truncate(\"'$out'/precious\", 0)' && echo outside by name
        mknod dev b 7 0 && echo device
        cat $out/precious && echo
        echo gone > /dev/null && echo sink
        ",
        out = outside.path().display(),
    );
    let (output, exit) = run(script(&attempts, inside.path(), &[inside.path()])).await;
    assert_eq!(output, "inside\nmoved inside\ndata\nsink\n");
    assert_eq!(exit, SUCCESS);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "data");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_denied_write_is_told_by_the_program() {
    let inside = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let write = format!("echo x > {}/new", outside.path().display());
    let (output, exit) = run(script(&write, inside.path(), &[inside.path()])).await;
    assert_eq!(exit, exited(1));
    assert!(output.contains("Permission denied"), "{output}");
    assert!(sandboxing::denied_by_sandbox(&output));
}

#[tokio::test]
async fn without_a_root_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let (output, exit) = run(script("echo x > y", directory.path(), &[&missing])).await;
    assert_eq!(exit, exited(1), "{output}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_single_file_can_be_a_root() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log");
    std::fs::write(&file, "").unwrap();
    let attempts = "echo x > log && echo log; echo x > other || echo denied";
    let (output, _) = run(script(attempts, directory.path(), &[&file])).await;
    assert!(output.starts_with("log\n") && output.ends_with("denied\n"), "{output}");
}

const SOCKETS: &str = r#"
import errno, socket, os
def attempt(name, act):
    try:
        act()
        print(name, "ok")
    except OSError as error:
        print(name, errno.errorcode[error.errno])
attempt("tcp4", lambda: socket.create_connection(("127.0.0.1", PORT), 2))
attempt("tcp6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
attempt("bind", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).bind(("127.0.0.1", 0)))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
def unix():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    listener.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect("socket")
    client.send(b"x")
    assert listener.accept()[0].recv(1) == b"x"
attempt("unix", unix)
attempt("pair", socket.socketpair)
"#;

#[tokio::test]
async fn a_closed_network_leaves_unix_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let python = SOCKETS.replace("PORT", &port);
    let program = Command {
        argv: vec!["python3".into(), "-c".into(), python.into()],
        ..script("", directory.path(), &[directory.path()])
    };
    let (output, _) = run(program.clone()).await;
    assert_eq!(
        output,
        "tcp4 EPERM\ntcp6 EPERM\nbind EPERM\nudp EPERM\nnetlink EPERM\npacket EPERM\nvsock EPERM\n\
         unix ok\npair ok\n"
    );
    std::fs::remove_file(directory.path().join("socket")).unwrap();
    let confinement = Confinement { network: Network::Open, ..program.confinement.clone() };
    let (output, _) = run(Command { confinement, ..program }).await;
    assert!(output.starts_with("tcp4 ok\n") && output.contains("bind ok\n"), "{output}");
}

/// A terminal, an editor or a display that listens in a directory which everybody shares does
/// what it is told, outside of the sandbox.
#[tokio::test]
async fn sockets_of_others_are_out_of_reach_where_that_was_asked() {
    let Availability::Confined { landlock_abi: 9.. } = availability() else { return };
    let [ours, shared] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let listen = |at: &tempfile::TempDir| UnixListener::bind(at.path().join("theirs")).unwrap();
    let _listeners = [&ours, &shared].map(listen);
    let python = r#"
import socket, sys
for directory in sys.argv[1:]:
    own = socket.socket(socket.AF_UNIX)
    own.bind(directory + "/own")
    own.listen()
    for name in ["own", "theirs"]:
        try:
            socket.socket(socket.AF_UNIX).connect(directory + "/" + name)
            print(name, "reached")
        except PermissionError:
            print(name, "out of reach")
"#;
    let argv = ["python3".into(), "-c".into(), python.into()];
    let directories = [&ours, &shared].map(|it| it.path().as_os_str().to_owned());
    let roots = vec![root(ours.path(), Sockets::Open), root(shared.path(), Sockets::Closed)];
    let command = Command {
        argv: argv.into_iter().chain(directories).collect(),
        confinement: Confinement { writes: Writes::Only(roots), network: Network::Closed },
        ..script("", ours.path(), &[])
    };
    let (output, _) = run(command).await;
    assert_eq!(output, "own reached\ntheirs reached\nown reached\ntheirs out of reach\n");
}

#[tokio::test]
async fn the_kernel_doors_are_shut() {
    let directory = tempfile::tempdir().unwrap();
    let python = r#"
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    result = libc.syscall(number, *arguments)
    print(name, "ok" if 0 <= result else errno.errorcode[ctypes.get_errno()])
call("ptrace", 101, 0, 0, 0, 0)
call("unshare user", 272, 0x10000000)
call("io_uring_setup", 425, 1, None)
call("mount", 165, b"none", b".", b"tmpfs", 0, None)
call("bpf", 321, 0, None, 0)
call("prlimit64 of the parent", 302, os.getppid(), 7, None, None)
call("prlimit64 of its own", 302, 0, 7, None, None)
call("x32 socket", 0x40000000 | 41, 2, 1, 0)
call("clone3", 435, None, 0)
call("open_by_handle_at", 304, -1, None, 0)
print("no_new_privs", libc.prctl(39, 0, 0, 0, 0))
"#;
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let command = Command {
        argv: vec!["python3".into(), "-c".into(), python.into()],
        ..script("", directory.path(), &[directory.path()])
    };
    let (output, _) = run(command).await;
    assert_eq!(
        output,
        "ptrace EPERM\nunshare user EPERM\nio_uring_setup EPERM\nmount EPERM\nbpf EPERM\n\
         prlimit64 of the parent EPERM\nprlimit64 of its own ok\nx32 socket EPERM\nclone3 ENOSYS\nopen_by_handle_at EPERM\nno_new_privs 1\n"
    );
}

#[tokio::test]
async fn nothing_outside_can_be_signalled_or_looked_into() {
    let Availability::Confined { landlock_abi: 6.. } = availability() else { return };
    let directory = tempfile::tempdir().unwrap();
    let us = std::process::id();
    let attempts = format!(
        "kill -0 {us} 2>/dev/null && echo can signal the engine
         kill -0 $PPID 2>/dev/null && echo can signal the watcher
         head -c 1 /proc/{us}/environ >/dev/null 2>&1 && echo can read its environment
         (sleep 60 & kill $! && echo can signal its own)"
    );
    let (output, _) = run(script(&attempts, directory.path(), &[])).await;
    assert_eq!(output, "can signal its own\n");
}

#[tokio::test]
async fn unconfined_commands_have_the_users_rights() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let write = format!("echo x > {}/new && echo written", outside.path().display());
    let confinement = Confinement::NONE;
    let command = Command { confinement, ..script(&write, directory.path(), &[]) };
    assert_eq!(run(command).await, ("written\n".to_owned(), SUCCESS));
}

/// Runs one test of this binary as an ordinary user, in directories of that user.
#[test]
fn the_same_holds_for_an_ordinary_user() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // The build may be where only root looks.
    let exe = home.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let output = std::process::Command::new(&exe)
        .args(["--exact", "confinement::ordinary_user", "--nocapture"])
        .env("ORDINARY_HOME", home.path())
        .env("TMPDIR", home.path())
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("as an ordinary user"), "{said}");
}

#[tokio::test]
async fn ordinary_user() {
    let Some(home) = std::env::var_os("ORDINARY_HOME").map(PathBuf::from) else { return };
    let inside = tempfile::tempdir_in(&home).unwrap();
    let attempts = "id -u; echo x > in && echo inside; echo x > ../out || echo denied
                    (exec 3<>/dev/tcp/127.0.0.1/1) || echo no network";
    let (output, _) = run(script(attempts, inside.path(), &[inside.path()])).await;
    let lines: Vec<&str> = output.lines().filter(|line| !line.starts_with("bash:")).collect();
    assert_eq!(lines, ["65534", "inside", "denied", "no network"], "{output}");
    println!("as an ordinary user");
}
