//! Repository chores that `cargo` has no command for.

mod agent_eval;
mod app_server;
mod bench;
mod demo_runs;
mod deny;
mod gates;
mod graph;
mod layers;
mod model_host;
mod mutants;
mod page;
mod requests;
mod scratch;
mod soak;
mod step;
mod test;
mod voice_quality;

use std::process::ExitCode;

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
    /// Ask the bundled model twenty things and record the result in docs/agent-eval.md
    AgentEval(agent_eval::Arguments),
    /// Speak sixty requests to the agent, and measure how well it hears (docs/voice-quality.md)
    VoiceQuality(voice_quality::Arguments),
    /// Run the demo many times and record the result in docs/demo-runs.md
    DemoRuns(demo_runs::Arguments),
    /// Plant bugs one at a time and see whether a test notices; records it in docs/mutants.md
    Mutants(mutants::Arguments),
    /// Count instructions, allocations, files and processes, and hold them to evals/gates.toml
    Gates(gates::Arguments),
    /// Measure size, start-up, memory, latency and speech; JSON on stdout, a table on stderr
    Bench(bench::Arguments),
    /// Talk to it for two hours: memory, clocks and lost turns; recorded in docs/soak.md
    Soak(soak::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Layers => layers::check(),
        Task::Deny => deny::check(),
        Task::Test(arguments) => test::run(&arguments),
        Task::AgentEval(arguments) => agent_eval::run_all(&arguments),
        Task::VoiceQuality(arguments) => voice_quality::measure(&arguments),
        Task::DemoRuns(arguments) => demo_runs::record(&arguments),
        Task::Mutants(arguments) => mutants::plant_all(&arguments),
        Task::Gates(arguments) => gates::hold(&arguments),
        Task::Bench(arguments) => bench::measure(&arguments),
        Task::Soak(arguments) => soak::run(&arguments),
    };
    // Not by returning the error: that would print a backtrace where one line is meant.
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
