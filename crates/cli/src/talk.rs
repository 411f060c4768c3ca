//! `duet talk`.

use std::io::IsTerminal as _;

use audio_io::{Device, DeviceKind, SoundServer};
use headless::{Exit, Manners, Server, TalkFormat, talk_cannot_begin, talk_capabilities};

use crate::args::TalkArgs;
use crate::exec::{console, console_beside_sound, print_line, thread_args};
use crate::failure::Failure;
use crate::services::{Services, VERSION};
use crate::signals::Signals;

/// A command line that asks for something that cannot be.
pub(crate) fn check(args: &TalkArgs) -> Result<(), Failure> {
    let output_is_standard = args.output().is_standard();
    if output_is_standard && args.json {
        return Err(Failure::usage(
            "sound and events cannot share standard output: give the sound a named pipe \
             (`mkfifo sound.pcm`, and --output sound.pcm), or leave out --json",
        ));
    }
    if output_is_standard && std::io::stdout().is_terminal() {
        return Err(Failure::usage(
            "raw sound is no use to a terminal: pipe it to a player, for instance \
             `| aplay -t raw -f S16_LE -r 24000 -c 1`, or name a file with --output",
        ));
    }
    if args.input().is_standard() && std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "a terminal is no microphone: pipe a recorder into standard input, for instance \
             `arecord -t raw -f S16_LE -r 24000 -c 1 |`, or name a file with --input",
        ));
    }
    Ok(())
}

/// The names of what can be spoken into and through, a line each.
pub(crate) fn list_devices() -> Result<Exit, Failure> {
    let devices = SoundServer::of_environment().devices();
    let devices = devices.map_err(Failure::other)?;
    for device in &devices {
        print_line(line(device))?;
    }
    if devices.is_empty() {
        eprintln!("the sound server of this machine has neither microphone nor speaker");
    }
    Ok(Exit::Done)
}

fn line(device: &Device) -> String {
    let Device { kind, name, description, is_default, is_muted, is_monitor } = device;
    let kind = match kind {
        DeviceKind::Microphone => "microphone",
        DeviceKind::Speaker => "speaker",
    };
    let marks = [
        // A server without microphones calls it so, and nobody means it.
        (*is_default && !*is_monitor, "default"),
        (*is_muted, "muted"),
        (*is_monitor, "what a speaker plays: only by its whole name"),
    ];
    let marks: String =
        marks.iter().filter(|it| it.0).map(|(_, mark)| format!(" ({mark})")).collect();
    format!("{kind:<10}  {name}  {description}{marks}")
}

pub(crate) async fn run(args: TalkArgs, services: Services) -> Result<Exit, Failure> {
    let format = args.format();
    let (args, mut signals) = or_say_why(format, prepare(args, &services))?;
    let mut served = services.serve();
    let connection = served.connect("talk");
    let talk = async {
        let server = Server::greet(connection, "duet-talk", VERSION, talk_capabilities()).await;
        let server = or_say_why(format, server.map_err(Failure::from))?;
        let mut console =
            if args.output.is_standard() { console_beside_sound() } else { console() };
        let report = headless::talk(server, args, &mut console, &mut signals.received).await?;
        Ok(report.exit)
    };
    let exit = talk.await;
    signals.or_leave(served.shutdown()).await;
    exit
}

/// Everything that can be wrong before anybody is called.
fn prepare(args: TalkArgs, services: &Services) -> Result<(headless::TalkArgs, Signals), Failure> {
    let format = args.format();
    let (input, output) = (args.input(), args.output());
    let TalkArgs { no_wait, thread, .. } = args;
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
