//! The environment of the commands that tools run.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use sandboxing::{Confinement, Network, Writes};

/// What this process was given, less what commands have no business with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    pub(crate) fn of_this_process() -> Self {
        Self::without_secrets(std::env::vars_os())
    }

    fn without_secrets(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.filter(|(name, value)| !is_secret(name, value)).collect())
    }

    /// Less these, except what no command can do without.
    pub(crate) fn without(&self, names: &BTreeSet<String>) -> Self {
        let stays = |name: &OsStr| {
            ORDINARY.iter().any(|it| *it == name)
                || !name.to_str().is_some_and(|it| names.contains(it))
        };
        Self(self.0.iter().filter(|(name, _)| stays(name)).cloned().collect())
    }

    /// For one command: words without colours and questions, package managers that know at once
    /// that there is no network instead of trying for a minute, and caches where it may write.
    ///
    /// `private` is the command's own directory, where it has one; `scratch` is shared by all.
    pub(crate) fn for_command(
        &self,
        confinement: &Confinement,
        private: Option<&Path>,
        scratch: Option<&Path>,
    ) -> Vec<(OsString, OsString)> {
        let mut variables = Variables(self.0.clone());
        for (name, value) in PLAIN {
            variables.set(name, value);
        }
        if confinement.network == Network::Closed {
            for (name, value) in OFFLINE {
                variables.set(name, value);
            }
        }
        let Writes::Only(roots) = &confinement.writes else { return variables.0 };
        for name in DOORS {
            variables.keep_if(name, |_| false);
        }
        if let Some(private) = private {
            for name in ["TMPDIR", "TMP", "TEMP"] {
                variables.set(name, private);
            }
            // Nothing may be written beside the sources, so builds go here; slow, but they work.
            variables.set("CARGO_TARGET_DIR", private.join("target"));
            variables.set("PYTHONPYCACHEPREFIX", private.join("pycache"));
        } else {
            // A shared build directory elsewhere cannot be written; the default can.
            for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
                variables.keep_if(name, |it| {
                    roots.iter().any(|root| Path::new(it).starts_with(&root.path))
                });
            }
        }
        if let Some(scratch) = private.or(scratch) {
            // Their usual place is below the home directory.
            variables.set("GOCACHE", scratch.join("go-build"));
            variables.set("npm_config_logs_dir", scratch.join("npm-logs"));
        }
        variables.0
    }

    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        Self::without_secrets(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }
}

struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.keep_if(name, |_| false);
        self.0.push((name.into(), value.as_ref().to_owned()));
    }

    fn keep_if(&mut self, name: &str, keep: impl Fn(&OsStr) -> bool) {
        self.0.retain(|(other, value)| other != name || keep(value));
    }
}

const PLAIN: [(&str, &str); 9] = [
    // Twenty lines for each failed test; who wants them asks.
    ("RUST_BACKTRACE", "0"),
    ("TERM", "dumb"),
    ("NO_COLOR", "1"),
    ("CARGO_TERM_COLOR", "never"),
    ("CARGO_TERM_PROGRESS_WHEN", "never"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("npm_config_update_notifier", "false"),
];

const OFFLINE: [(&str, &str); 5] = [
    // Compiler caches are servers behind a network socket. Empty means none.
    ("RUSTC_WRAPPER", ""),
    ("CARGO_NET_OFFLINE", "true"),
    ("npm_config_offline", "true"),
    ("PIP_RETRIES", "0"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
];

/// Where the user's terminal, editor, desktop or containers can be told what to do, outside of
/// the sandbox. No wall where the kernel still lets sockets be reached (before Landlock 9): their
/// usual places are known.
const DOORS: [&str; 21] = [
    "TMUX",
    "TMUX_PANE",
    // GNU screen.
    "STY",
    "ZELLIJ_SESSION_NAME",
    "KITTY_LISTEN_ON",
    "WEZTERM_UNIX_SOCKET",
    "ALACRITTY_SOCKET",
    // Windows of the desktop can be typed into.
    "DISPLAY",
    "XAUTHORITY",
    "WAYLAND_DISPLAY",
    "WAYLAND_SOCKET",
    "SWAYSOCK",
    "I3SOCK",
    "HYPRLAND_INSTANCE_SIGNATURE",
    "NVIM",
    "NVIM_LISTEN_ADDRESS",
    "VIM_SERVERNAME",
    "EMACS_SOCKET_NAME",
    "VSCODE_IPC_HOOK_CLI",
    // Gives passwords to git.
    "VSCODE_GIT_IPC_HANDLE",
    "CONTAINER_HOST",
];

/// What no command can do without, and what a header can say of the user all the same.
const ORDINARY: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR"];

/// Keys and tokens by the words of their names, and the sockets of agents that act for the user.
fn is_secret(name: &OsStr, value: &OsStr) -> bool {
    const WORDS: [&str; 9] = [
        "KEY",
        "KEYS",
        "SECRETS",
        "CREDENTIAL",
        "CREDENTIALS",
        "PASSPHRASE",
        "PASSWD",
        "PASS",
        "SSHPASS",
    ];
    // Also grown together with what they are for: `PGPASSWORD`, `OPENAIAPIKEY`.
    const ENDINGS: [&str; 4] = ["APIKEY", "PASSWORD", "TOKEN", "SECRET"];
    // Only at the end of a name: `NPM_AUTH`, `GITHUB_PAT`, but not `AUTH_URL`.
    const LAST: [&str; 2] = ["AUTH", "PAT"];
    const SOCKETS: [&str; 4] =
        ["SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST"];
    let Some(name) = name.to_str() else { return false };
    let name = name.to_ascii_uppercase();
    let of_secrets =
        |word: &str| WORDS.contains(&word) || ENDINGS.iter().any(|it| word.ends_with(it));
    let (first, last) = name.rsplit_once('_').unwrap_or(("", &name));
    // `MYSQL_PWD` is a password; `PWD`, `OLDPWD` and whatever holds a path are directories.
    let password = last == "PWD" && !first.is_empty() && !Path::new(value).is_absolute();
    SOCKETS.contains(&name.as_str())
        || name.split('_').any(of_secrets)
        || LAST.contains(&last)
        || password
}

#[cfg(test)]
mod tests {
    use sandboxing::{Root, Sockets};

    use super::*;

    #[test]
    fn secrets_stay_behind() {
        let environment = Environment::of(&[
            ("PATH", "/bin"),
            ("OPENAI_API_KEY", "sk-1"),
            ("GITHUB_TOKEN", "t"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("KEYBOARD", "us"),
            ("TOKENIZERS_PARALLELISM", "false"),
            ("SSH_AUTH_SOCK", "/run/x"),
            ("PGPASSWORD", "p"),
            ("DB_PASS", "p"),
            ("SSHPASS", "p"),
            ("NPM_AUTH", "a"),
            ("npm_config__authtoken", "a"),
            ("GITHUB_PAT", "g"),
            ("MYSQL_PWD", "p"),
            ("PWD", "/x"),
            ("OLDPWD", "/y"),
            ("BUILD_PWD", "/z"),
            ("AUTH_URL", "https://a"),
            ("BYPASS", "1"),
            // Known by the config only.
            ("ACME", "a"),
            ("USER", "ann"),
        ]);
        let environment = environment.without(&["ACME".to_owned(), "USER".to_owned()].into());
        let names: Vec<&str> = environment.0.iter().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(
            names,
            [
                "PATH",
                "KEYBOARD",
                "TOKENIZERS_PARALLELISM",
                "PWD",
                "OLDPWD",
                "BUILD_PWD",
                "AUTH_URL",
                "BYPASS",
                "USER"
            ]
        );
    }

    fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a str> {
        let mut found = variables.iter().filter(|(other, _)| other == name);
        let value = found.next().and_then(|(_, value)| value.to_str());
        assert_eq!(found.next(), None, "{name} is there twice");
        value
    }

    #[test]
    fn a_sandbox_does_not_name_its_doors() {
        let environment = Environment::of(&[
            ("PATH", "/bin"),
            ("TMUX", "/tmp/tmux-1000/default,1,0"),
            ("STY", "1.pts-0"),
            ("DISPLAY", ":0"),
            ("NVIM", "/run/user/1000/nvim.1.0"),
            ("VSCODE_IPC_HOOK_CLI", "/run/user/1000/vscode-ipc-1.sock"),
        ]);
        let variables = environment.for_command(&crate::policy::reading(), None, None);
        let given = variables.iter().filter(|it| environment.0.contains(it));
        assert_eq!(given.collect::<Vec<_>>(), [&("PATH".into(), "/bin".into())]);
        // Who may do everything gets what the user has.
        let variables = environment.for_command(&Confinement::NONE, None, None);
        assert!(environment.0.iter().all(|it| variables.contains(it)));
    }

    #[test]
    fn builds_go_where_they_can_be_written() {
        let environment =
            Environment::of(&[("CARGO_TARGET_DIR", "/home/a/target"), ("TMPDIR", "/var/x")]);
        let confined = |root: &str| Confinement {
            writes: Writes::Only(vec![Root { path: root.into(), sockets: Sockets::Open }]),
            network: Network::Closed,
        };
        let scratch = Some(Path::new("/tmp/s"));
        let variables = environment.for_command(&confined("/home/a/project"), None, scratch);
        assert_eq!(value(&variables, "CARGO_TARGET_DIR"), None);
        assert_eq!(value(&variables, "GOCACHE"), Some("/tmp/s/go-build"));
        assert_eq!(value(&variables, "TMPDIR"), Some("/var/x"));
        assert_eq!(value(&variables, "CARGO_NET_OFFLINE"), Some("true"));
        let variables = environment.for_command(&confined("/home/a"), None, scratch);
        assert_eq!(value(&variables, "CARGO_TARGET_DIR"), Some("/home/a/target"));
        let private = Some(Path::new("/tmp/p"));
        let variables = environment.for_command(&confined("/tmp/p"), private, scratch);
        assert_eq!(value(&variables, "CARGO_TARGET_DIR"), Some("/tmp/p/target"));
        assert_eq!(value(&variables, "TMPDIR"), Some("/tmp/p"));
        let variables = environment.for_command(&Confinement::NONE, None, scratch);
        assert_eq!(value(&variables, "CARGO_TARGET_DIR"), Some("/home/a/target"));
        assert_eq!(value(&variables, "CARGO_NET_OFFLINE"), None);
        assert_eq!(value(&variables, "GOCACHE"), None);
    }
}
