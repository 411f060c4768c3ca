//! Repository chores that `cargo` has no command for.

fn main() -> anyhow::Result<()> {
    anyhow::bail!("no task yet")
}
