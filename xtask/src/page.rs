//! Pages of docs/ that a measurement adds an entry to.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

use crate::step::{git, output};

/// What stands over an entry: the day, what was measured, on what machine. `commit` is for a
/// program that was built before; without it, it is what is checked out.
pub(crate) fn title(commit: Option<&str>) -> anyhow::Result<String> {
    let commit = match commit {
        Some(commit) => commit.to_owned(),
        None => output(git().args(["rev-parse", "--short", "HEAD"]))?,
    };
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|it| it.strip_prefix("model name")).unwrap_or("");
    let cpu = cpu.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{date}, commit {commit}\n\n{cores} cores of {cpu}"))
}

/// The newest entry stands first.
pub(crate) fn put_on_top(page: &str, entry: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(page).with_context(|| page.to_owned())?;
    let text = on_top(&text, entry).with_context(|| format!("{page} has lost its mark"))?;
    fs::write(page, text).with_context(|| page.to_owned())
}

fn on_top(page: &str, entry: &str) -> Option<String> {
    const MARK: &str = "<!-- newest first -->\n";
    let (head, tail) = page.split_once(MARK)?;
    Some(format!("{head}{MARK}{entry}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entry_stands_on_top() {
        let page = on_top("# Page\n\n<!-- newest first -->\n", "\n## one\n").unwrap();
        let page = on_top(&page, "\n## two\n").unwrap();
        assert_eq!(page, "# Page\n\n<!-- newest first -->\n\n## two\n\n## one\n");
        assert_eq!(on_top("# Page\n", ""), None);
    }
}
