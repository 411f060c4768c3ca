//! `duet talk`.

use headless::{Exit, Manners, Server, TalkFormat, talk_cannot_begin, talk_capabilities};

use crate::args::TalkArgs;
use crate::exec::{console, thread_args};
use crate::failure::Failure;
use crate::services::{Services, VERSION};
use crate::signals::Signals;

pub(crate) async fn run(args: TalkArgs, services: Services) -> Result<Exit, Failure> {
    let format = args.format();
    let (args, mut signals) = or_say_why(format, prepare(args, &services))?;
    let mut served = services.serve();
    let connection = served.connect("talk");
    let talk = async {
        let server = Server::greet(connection, "duet-talk", VERSION, talk_capabilities()).await;
        let server = or_say_why(format, server.map_err(Failure::from))?;
        let report = headless::talk(server, args, &mut console(), &mut signals.received).await?;
        Ok(report.exit)
    };
    let exit = talk.await;
    signals.or_leave(served.shutdown()).await;
    exit
}

/// Everything that can be wrong before anybody is called.
fn prepare(args: TalkArgs, services: &Services) -> Result<(headless::TalkArgs, Signals), Failure> {
    let format = args.format();
    let TalkArgs { input, output, no_wait, captions: _, json: _, thread, config: _ } = args;
    let manners = if no_wait { Manners::Interrupts } else { Manners::Waits };
    let thread = thread_args(thread, services)?;
    services.require_voice()?;
    services.require_agent()?;
    let signals = Signals::listen()?;
    let pace = services.pace();
    let args = headless::TalkArgs { thread, input, output, format, pace, manners };
    Ok((args, signals))
}

/// What keeps a talk from its beginning is told to programs too, as its end.
pub(crate) fn or_say_why<T>(format: TalkFormat, result: Result<T, Failure>) -> Result<T, Failure> {
    if let Err(failure) = &result {
        talk_cannot_begin(format, &failure.to_string(), failure.exit(), &mut console())?;
    }
    result
}
