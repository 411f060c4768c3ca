//! Repository chores that `cargo` has no command for.

mod deny;
mod graph;
mod layers;
mod test;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Repository chores that cargo has no command for.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check that crates use lower layers only and that pure crates stay pure
    Layers,
    /// Check licences, banned and doubled crates, and sources, as deny.toml says
    Deny,
    /// Run the tests, or one group of them
    Test(test::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Layers => layers::check(),
        Task::Deny => deny::check(),
        Task::Test(arguments) => test::run(&arguments),
    }
}
