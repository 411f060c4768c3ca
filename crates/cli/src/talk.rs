//! `duet talk`.

use headless::{Exit, Server, TalkFormat, talk_capabilities};

use crate::args::TalkArgs;
use crate::exec::{console, thread_args};
use crate::failure::Failure;
use crate::services::{Services, VERSION};
use crate::signals::Signals;

pub(crate) async fn run(args: TalkArgs, services: Services) -> Result<Exit, Failure> {
    let TalkArgs { input, output, captions, json, thread, config: _ } = args;
    let thread = thread_args(thread, &services.cwd)?;
    services.require_voice()?;
    services.require_agent()?;
    let format = if json { TalkFormat::Json } else { TalkFormat::People { captions } };
    let pace = services.pace();
    let args = headless::TalkArgs { thread, input, output, format, pace };
    let mut signals = Signals::listen()?;
    let mut served = services.serve();
    let connection = served.connect("talk");
    let talk = async {
        let server = Server::greet(connection, "duet-talk", VERSION, talk_capabilities()).await?;
        headless::talk(server, args, &mut console(), &mut signals.received).await
    };
    let report = talk.await;
    served.shutdown().await;
    Ok(report?.exit)
}
