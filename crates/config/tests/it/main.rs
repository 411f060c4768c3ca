//! All integration tests of this crate; one binary.

#![allow(clippy::unwrap_used)]

mod errors;
mod home;
mod overrides;
mod settings;
mod warnings;

use config::{Config, ConfigError, Environment, Home, Override};

/// Settings from a file's text, flags and variables.
struct Case {
    text: &'static str,
    flags: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

const NOTHING: Case = Case { text: "", flags: &[], variables: &[] };

impl Case {
    /// The home's path is shown as `HOME` in messages.
    fn load(&self) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), self.text).unwrap();
        let shown = |text: String| text.replace(&folder.path().display().to_string(), "HOME");
        let load = || -> Result<Config, ConfigError> {
            let flags = self.flags.iter().map(|it| Override::parse(it));
            let flags: Vec<Override> = flags.collect::<Result<_, _>>()?;
            let environment = Environment::from_iter(self.variables.iter().copied());
            Config::load(&Home::at(folder.path()), &flags, &environment)
        };
        load().map_err(|error| shown(error.to_string()))
    }

    #[track_caller]
    fn config(&self) -> Config {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn error(&self) -> String {
        match self.load() {
            Ok(config) => panic!("no error: {config:#?}"),
            Err(error) => error,
        }
    }

    /// What the user is told, without the home's path.
    #[track_caller]
    fn warnings(&self) -> Vec<String> {
        let config = self.config();
        let home = config.home.path().display().to_string();
        config.warnings.iter().map(|it| it.to_string().replace(&home, "HOME")).collect()
    }
}
