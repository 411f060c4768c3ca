//! The promises, on a kernel that has no Landlock, as far as the commands can see. Where bubblewrap
//! may mount nothing either (an unprivileged container), there is nothing to look at.

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::*;

/// Asked by hand, so that a wrapping of ours that is wrong is no excuse.
fn works_here() -> bool {
    let tried = std::process::Command::new("bwrap")
        .args(["--ro-bind", "/", "/", "--dev", "/dev", "--unshare-net", "--", "true"])
        .output();
    let works = tried.is_ok_and(|it| it.status.success());
    if !works {
        eprintln!("bubblewrap does not work on this machine: nothing was tested");
    }
    works
}

/// What a thread may not call, what it starts may not either.
fn without_landlock() -> Spawner {
    let filter = SeccompFilter::new(
        [(libc::SYS_landlock_create_ruleset, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    let start = move || {
        seccompiler::apply_filter(&program).unwrap();
        spawner()
    };
    std::thread::spawn(start).join().unwrap()
}

async fn wrapped(command: Command) -> (String, Exit) {
    let spawner = without_landlock();
    let (output, exit) = finish(spawner.run(command).await.unwrap()).await;
    (String::from_utf8(output).unwrap(), exit)
}

#[tokio::test]
async fn writes_are_limited_to_the_roots() {
    if !works_here() {
        return;
    }
    let inside = tempfile::tempdir().unwrap();
    let within = inside.path().join("within");
    std::fs::create_dir(&within).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let precious = outside.path().join("precious");
    std::fs::write(&precious, "data").unwrap();
    let attempts = format!(
        "
        exec 2>/dev/null
        out={out}
        echo x > in && mkdir d && mv in d/in && echo inside
        echo x > within/in && echo below
        echo x > $out/new && echo outside create
        echo x > $out/precious && echo outside overwrite
        rm -f $out/precious && echo outside remove
        ln -s $out esc; echo x > esc/new && echo outside by link
        ln $out/precious hard && echo outside by hard link
        mount --bind . $out && echo mounted
        mount -o remount,rw / && echo remounted
        unshare -rm true && echo namespaces
        mknod dev b 7 0 && echo device
        cat $out/precious && echo
        echo gone > /dev/null && echo sink
        ",
        out = outside.path().display(),
    );
    let roots = [inside.path(), within.as_path(), Path::new("/no/such/root")];
    let (output, exit) = wrapped(script(&attempts, inside.path(), &roots)).await;
    assert_eq!(output, "inside\nbelow\ndata\nsink\n");
    assert_eq!(exit, SUCCESS);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(inside.path().join("d/in").exists());

    let write = format!("echo x > {}/new", outside.path().display());
    let (output, exit) = wrapped(script(&write, inside.path(), &[inside.path()])).await;
    assert_eq!(exit, exited(1));
    assert!(sandboxing::denied_by_sandbox(&output), "{output}");
}

#[tokio::test]
async fn a_closed_network_reaches_nobody() {
    if !works_here() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let connect = |network| {
        let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
        let command = script(&connect, directory.path(), &[directory.path()]);
        let confinement = Confinement { network, ..command.confinement };
        Command { confinement, errors: Errors::Discarded, ..command }
    };
    assert_eq!(wrapped(connect(Network::Closed)).await.0, "");
    assert_eq!(wrapped(connect(Network::Open)).await.0, "connected\n");
}

#[tokio::test]
async fn commands_end_as_they_do_without_it() {
    if !works_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let run = async |text: &str| wrapped(script(text, directory.path(), &[directory.path()])).await;
    assert_eq!(run("exit 7").await.1, exited(7));
    assert_eq!(run("echo $PWD; env -u PWD -u SHLVL -u _ -u OLDPWD").await.0, {
        let path = std::env::var("PATH").unwrap();
        format!("{}\nPATH={path}\n", directory.path().display())
    });
    let spawner = without_landlock();
    let argv = vec!["no-such-program".into()];
    let missing = Command { argv, ..script("", directory.path(), &[]) };
    let refused = spawner.run(missing).await.unwrap_err();
    assert!(matches!(refused, SpawnError::NotFound(_)), "{refused}");
}

#[tokio::test]
async fn a_polite_command_may_clean_up_and_nothing_is_left() {
    if !works_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let polite = "trap 'echo cleaned; exit 0' TERM; sleep 600 & echo $!; wait";
    let spawner = without_landlock();
    let command = script(polite, directory.path(), &[directory.path()]);
    let mut running = spawner.run(command).await.unwrap();
    let sleeper = read_lines(&mut running, 1).await;
    running.kill();
    let (output, exit) = finish(running).await;
    assert_eq!(String::from_utf8(output).unwrap(), "cleaned\n");
    assert_eq!(exit.ending, Ending::Killed);
    gone(&sleeper);
}

/// Whatever the command's environment names is for the command alone: the wrapper runs outside.
#[tokio::test]
async fn the_wrapper_loads_nothing_from_the_workspace() {
    if !works_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let command =
        script("tr '\\0' '\\n' < /proc/$PPID/environ; echo $LD_DEBUG; true", directory.path(), &[]);
    let mut env = command.env.clone();
    env.push(("LD_DEBUG".into(), "none".into()));
    let (output, exit) = wrapped(Command { env, errors: Errors::Discarded, ..command }).await;
    assert_eq!(output, "none\n", "the wrapper's own environment is empty");
    assert_eq!(exit, SUCCESS);
}
