//! Asks the bundled model one thing: `generate MODEL.gguf QUESTION`, with the tools of a small
//! made-up repository. Shows the events and how long they took.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use inference::{Client, HostCommand, HostOptions, ModelFiles, default_runtime_dir};
use protocol::{ModelItem, ModelRequest, Property, Role, Schema, ToolChoice, ToolEffect, ToolSpec};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let agent = PathBuf::from(args.next().context("the first argument is a GGUF file")?);
    let question = args.next().context("the second argument is a question")?;
    let program = std::env::current_exe()?
        .parent()
        .and_then(|it| it.parent())
        .context("an example lies below the target folder")?
        .join("inference-host");
    let client = Client::new(
        HostCommand { program, args: vec![] },
        HostOptions {
            files: ModelFiles { agent, speech: PathBuf::new() },
            runtime_dir: default_runtime_dir(&[std::env::current_dir()?])?,
            cache_dir: std::env::temp_dir().join("duet-prefixes"),
            idle_exit: HostOptions::IDLE_EXIT,
            threads: None,
        },
    );
    let files = ["src/lib.rs", "src/cart.rs", "src/price.rs", "tests/cart.rs", "README.md"];
    let tool = |name: &str, description: &str, parameters, effect| ToolSpec {
        name: name.into(),
        description: description.into(),
        parameters,
        effect,
    };
    let path = || {
        Property::required(
            "path",
            "a file",
            Schema::Choice(files.iter().map(|it| (*it).to_owned()).collect()),
        )
    };
    let request = ModelRequest {
        instructions: "You are a coding agent in one repository. Use tools to find facts.".into(),
        input: vec![ModelItem::Message { role: Role::User, text: question }],
        tools: vec![
            tool("run_tests", "runs the tests", vec![], ToolEffect::Runs),
            tool("read_file", "shows one file", vec![path()], ToolEffect::Reads),
            tool(
                "write_file",
                "replaces one file",
                vec![path(), Property::required("content", "", Schema::Text { max_chars: None })],
                ToolEffect::Writes,
            ),
        ],
        tool_choice: ToolChoice::Auto,
        cache_key: "example".into(),
    };
    let started = Instant::now();
    let mut generation = client.generate(request);
    while let Some(event) = generation.next().await {
        let at = started.elapsed().as_secs_f32();
        match event {
            Ok(event) => println!("{at:7.3} s  {event:?}"),
            Err(error) => anyhow::bail!(error.message),
        }
    }
    Ok(())
}
