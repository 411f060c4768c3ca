//! The test groups, in the order in which they are worth knowing.

use std::time::Instant;

use clap::ValueEnum;

use crate::step::{cargo, run as step};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this group
    #[arg(long, value_enum)]
    group: Option<Group>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Everything that needs neither models nor other programs
    Fast,
    /// Speech, the bundled model and the whole spoken path; fetches about 1.8 GB once
    Models,
    /// Programs of other people against our servers; fetched from their registries each time
    Clients,
    /// A microphone and a speaker of a sound server of its own (PulseAudio)
    Devices,
}

/// Tests that load weights carry this in their path.
const WITH_MODELS: &str = "with_models";

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let groups = arguments.group.map_or_else(|| Group::value_variants().to_vec(), |it| vec![it]);
    let mut times = Vec::new();
    for group in groups {
        let start = Instant::now();
        match group {
            Group::Fast => cargo_test(Only::WithoutModels)?,
            Group::Models => {
                step(
                    cargo(&["run", "--locked", "--package", "cli", "--bin", "duet", "--"])
                        .args(["models", "fetch", "--set", "default", "--set", "tests"]),
                )?;
                cargo_test(Only::WithModels)?;
            }
            Group::Clients => step(cargo(&["test", "--workspace", "--locked"]).args([
                "--features",
                "realtime-server/client-tests",
                "--test",
                "clients",
            ]))?,
            Group::Devices => step(cargo(&["test", "--workspace", "--locked"]).args([
                "--features",
                "audio-io/device-tests",
                "--test",
                "devices",
            ]))?,
        }
        times.push((group, start.elapsed()));
    }
    for (group, time) in times {
        let name =
            group.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned());
        println!("group {name:<8} {:>5} s", time.as_secs());
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Only {
    WithModels,
    WithoutModels,
}

/// By nextest where it is installed; `cargo test` says the same, slower.
fn cargo_test(only: Only) -> anyhow::Result<()> {
    let has_nextest =
        cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    if has_nextest {
        let filter = match only {
            Only::WithModels => format!("test({WITH_MODELS})"),
            Only::WithoutModels => format!("not test({WITH_MODELS})"),
        };
        let mut command = cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
        step(command.args(["--status-level", "slow", "--filterset", &filter]))
    } else {
        let mut command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--"]);
        step(match only {
            Only::WithModels => command.arg(WITH_MODELS),
            Only::WithoutModels => command.args(["--skip", WITH_MODELS]),
        })
    }
}
