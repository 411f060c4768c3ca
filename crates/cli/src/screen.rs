//! What standard error looks like to whoever reads it.

use std::ffi::OsStr;
use std::io::IsTerminal as _;

use console::Term;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) colors: bool,
    /// Lines may come and go.
    pub(crate) moves: bool,
}

impl Screen {
    pub(crate) fn of_process() -> Self {
        let variable = |name| std::env::var_os(name);
        Self::of(
            std::io::stderr().is_terminal(),
            variable("TERM").as_deref(),
            variable("NO_COLOR").as_deref(),
        )
    }

    /// `NO_COLOR` set to anything turns colours off. A dumb terminal only prints.
    fn of(is_terminal: bool, term: Option<&OsStr>, no_color: Option<&OsStr>) -> Self {
        let moves = is_terminal && term.is_none_or(|it| it != "dumb");
        let plain = no_color.is_some_and(|it| !it.is_empty());
        Self { colors: moves && !plain, moves }
    }

    /// Columns, where lines may come and go.
    pub(crate) fn columns(self) -> Option<u16> {
        // Of a terminal that does not say, what most have.
        let columns = || Term::stderr().size_checked().map_or(80, |(_rows, columns)| columns);
        self.moves.then(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_may_be_dumb_or_plain() {
        let of = |is_terminal, term: &str, no_color: &str| {
            let Screen { colors, moves } =
                Screen::of(is_terminal, Some(term.as_ref()), Some(no_color.as_ref()));
            (colors, moves)
        };
        assert_eq!(of(true, "xterm", ""), (true, true));
        assert_eq!(of(true, "xterm", "1"), (false, true));
        assert_eq!(of(true, "dumb", ""), (false, false));
        assert_eq!(of(false, "xterm", ""), (false, false));
    }
}
