//! `duet sessions`: what was talked about before.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use config::{Environment, Home};
use headless::Exit;
use rollout::{Store, Summary};
use serde_json::json;
use stdx::Date;

use crate::args::SessionsArgs;
use crate::exec::{directory, print_line};
use crate::failure::Failure;

/// Read at most, where only those of one directory are shown.
pub(crate) const READ: usize = 10_000;

pub(crate) fn run(args: SessionsArgs) -> Result<Exit, Failure> {
    let SessionsArgs { dir, limit, json } = args;
    let dir = dir.map(|dir| directory(&dir, "--cd")).transpose()?;
    let home = Home::find(&Environment::of_process()).map_err(Failure::other)?;
    let sessions = newest(&home, dir.as_deref(), limit);
    if sessions.is_empty() && !json {
        eprintln!(
            "no session is kept yet{}",
            dir.map(|_| " of that directory").unwrap_or_default()
        );
    }
    for session in &sessions {
        let line = match json {
            true => as_json(session),
            false => for_people(session, SystemTime::now()),
        };
        print_line(line)?;
    }
    Ok(Exit::Done)
}

/// The newest sessions, of one directory or of any.
pub(crate) fn newest(home: &Home, dir: Option<&Path>, limit: usize) -> Vec<Summary> {
    let store = Store::new(home.path());
    let read = if dir.is_some() { READ } else { limit };
    let sessions = store.list(read).into_iter();
    sessions.filter(|it| dir.is_none_or(|dir| is_in(dir, &it.meta.cwd))).take(limit).collect()
}

/// The directory may be named over a link in either.
fn is_in(dir: &Path, cwd: &Path) -> bool {
    cwd == dir || cwd.canonicalize().is_ok_and(|it: PathBuf| it == dir)
}

fn as_json(session: &Summary) -> String {
    let Summary { path, meta, updated, preview } = session;
    json!({
        "id": meta.thread.as_str(),
        "created_at": Date::of(meta.at).rfc3339(),
        "updated_at": Date::of(*updated).rfc3339(),
        "cwd": meta.cwd,
        "source": meta.source,
        "branch": meta.branch,
        "preview": preview,
        "path": path,
    })
    .to_string()
}

fn for_people(session: &Summary, now: SystemTime) -> String {
    let Summary { path: _, meta, updated, preview } = session;
    let words: Vec<&str> = preview.split_whitespace().collect();
    format!(
        "{}  {:>8}  {}  {}",
        meta.thread,
        ago(now, *updated),
        meta.cwd.display(),
        if words.is_empty() { "(nothing was said)".to_owned() } else { words.join(" ") },
    )
}

/// `3 h ago`. A clock that was set back makes it now.
fn ago(now: SystemTime, then: SystemTime) -> String {
    let minutes = now.duration_since(then).unwrap_or_default().as_secs() / 60;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..1440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::ago;

    #[test]
    fn ages_are_told_in_one_unit() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let told = |seconds: u64| ago(now, now - Duration::from_secs(seconds));
        assert_eq!(told(59), "now");
        assert_eq!(told(60), "1 min");
        assert_eq!(told(3_600), "1 h");
        assert_eq!(told(86_400), "1 d");
        assert_eq!(ago(now, now + Duration::from_secs(100)), "now");
    }
}
