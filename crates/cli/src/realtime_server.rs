//! `duet realtime-server`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use config::VoiceService;
use headless::Exit;
use realtime_server::{ApiKey, Exposure, Options, RealtimeServer};
use transport::{Network, Trust};

use crate::args::RealtimeServerArgs;
use crate::exec::print_line;
use crate::failure::Failure;
use crate::services::Services;
use crate::signals::Signals;

/// Where the key may be: unlike a command line, other users cannot read it.
const API_KEY: &str = "DUET_REALTIME_API_KEY";

/// Serves until a signal comes.
pub(crate) async fn run(args: RealtimeServerArgs, services: Services) -> Result<Exit, Failure> {
    let RealtimeServerArgs { listen, api_key, allow_other_machines, config: _ } = args;
    let given = match api_key {
        Some(key) => Some(("--api-key", key)),
        None => services.environment.get(API_KEY).map(|key| (API_KEY, key.to_owned())),
    };
    let given = given
        .map(|(from, key)| {
            ApiKey::new(key).map_err(|error| Failure::usage(format!("{from}: {error}")))
        })
        .transpose()?;
    if !allow_other_machines && !listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{listen} can be reached from other machines, without encryption: listen on \
             127.0.0.1, or give --allow-other-machines"
        )));
    }
    services.require_local_voice()?;
    // Replies where a client brings no agent of its own.
    services.require_agent()?;
    let key = given.clone().unwrap_or_else(ApiKey::generate);
    let mut options = Options::new(listen, key.clone());
    if allow_other_machines {
        options.exposure = Exposure::AnyMachine;
    }
    if let VoiceService::Local(voice) = &services.config.realtime.service {
        options.speed = f64::from(voice.speed);
        options.language = voice.language.clone();
    }
    let mut signals = Signals::listen()?;
    let voice = services.voice(services.models(Network::new(Trust::System)));
    let server = RealtimeServer::bind(options, voice).await.map_err(Failure::other)?;
    print_line(format_args!("listening on {}", server.url()))?;
    let key_file = match given {
        Some(_) => None,
        None => {
            let file = KeyFile::write(services.home.path(), server.addr().port(), &key)?;
            print_line(format_args!("the key is in {}", file.0.display()))?;
            Some(file)
        }
    };
    let signal = signals.received.recv().await;
    signals.or_leave(server.shutdown()).await;
    drop(key_file);
    Ok(signal.map_or(Exit::Done, Exit::from))
}

/// A key that only this user can read, for as long as it opens something.
struct KeyFile(PathBuf);

impl KeyFile {
    fn write(home: &Path, port: u16, key: &ApiKey) -> Result<Self, Failure> {
        let path = home.join(format!("realtime-server-{port}.key"));
        let write = || -> io::Result<()> {
            fs::create_dir_all(home)?;
            // A file that is there already may have other permissions.
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            writeln!(file, "{}", key.expose())
        };
        match write() {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(Failure::other(format!(
                "cannot write the key to {}: {error}; give one in {API_KEY}",
                path.display()
            ))),
        }
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // What is left behind opens nothing any more.
        fs::remove_file(&self.0).ok();
    }
}
