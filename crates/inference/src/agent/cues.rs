//! What a request has to say for some tools to be of use at its first step.
//!
//! The bundled model chooses well between tools that fit, and badly between all of them: it lists
//! commits when it is asked which commands a program has, runs the tests before it changes a
//! number, and looks for the words "failing test" in files. So a tool about something is offered
//! first only to requests that have a word of it; and a request that can only be about one thing
//! gets the tools for that alone. From the second step on everything is offered.

use super::offer::Kind;

/// A thing that requests are about, and the tools of our catalogue that are good for nothing else.
struct Subject {
    tools: &'static [&'static str],
    words: &'static [&'static str],
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        tools: &["run_tests"],
        words: &[
            "break", "breaks", "broke", "broken", "bug", "build", "check", "checks", "compile",
            "compiles", "crash", "crashes", "error", "errors", "fail", "failed", "failing",
            "fails", "failure", "failures", "green", "pass", "passed", "passes", "passing",
            "problem", "red", "run", "spec", "specs", "suite", "test", "tested", "testing",
            "tests", "work", "working", "works", "wrong",
        ],
    },
    Subject {
        tools: &["git_log", "last_commit"],
        words: &[
            "added",
            "ago",
            "author",
            "authors",
            "began",
            "begin",
            "branch",
            "change",
            "changed",
            "changes",
            "commit",
            "commits",
            "committed",
            "contributed",
            "created",
            "did",
            "first",
            "fixed",
            "git",
            "history",
            "introduced",
            "last",
            "lately",
            "latest",
            "log",
            "made",
            "merged",
            "month",
            "new",
            "newest",
            "oldest",
            "previous",
            "recent",
            "recently",
            "released",
            "removed",
            "since",
            "started",
            "today",
            "week",
            "when",
            "who",
            "whom",
            "whose",
            "written",
            "wrote",
            "yesterday",
        ],
    },
    Subject {
        tools: &["git_status", "git_diff"],
        words: &[
            "branch",
            "change",
            "changed",
            "changes",
            "commit",
            "commits",
            "committed",
            "diff",
            "dirty",
            "edited",
            "git",
            "modified",
            "new",
            "pending",
            "pushed",
            "saved",
            "staged",
            "status",
            "touched",
            "uncommitted",
            "unsaved",
            "unstaged",
            "untracked",
            "work",
            "working",
        ],
    },
];

/// Whether it is of use for one thing alone.
pub(super) fn is_about_something(tool: &str) -> bool {
    SUBJECTS.iter().any(|it| it.tools.contains(&tool))
}

/// Tools for a request that can be about nothing else.
const FOR_TESTS: [&str; 1] = ["run_tests"];
const FOR_ORIGIN: [&str; 2] = ["git_log", "last_commit"];

const TESTS: [&str; 4] = ["test", "tests", "suite", "specs"];
const OUTCOMES: [&str; 14] = [
    "broken", "fail", "failed", "failing", "fails", "failure", "failures", "green", "pass",
    "passed", "passes", "passing", "red", "run",
];

/// How questions about who did something and when begin.
const ORIGINS: [[&str; 2]; 14] = [
    ["when", "did"],
    ["when", "was"],
    ["when", "were"],
    ["who", "added"],
    ["who", "changed"],
    ["who", "committed"],
    ["who", "created"],
    ["who", "fixed"],
    ["who", "introduced"],
    ["who", "last"],
    ["who", "made"],
    ["who", "removed"],
    ["who", "worked"],
    ["who", "wrote"],
];

/// Words before the one that says what is wanted, and how a question may begin that is an order.
const BEFORE: [&str; 14] = [
    "also", "and", "can", "could", "duet", "hey", "now", "ok", "okay", "please", "so", "then",
    "would", "you",
];

const ASKING: [&str; 33] = [
    "am",
    "are",
    "count",
    "describe",
    "did",
    "do",
    "does",
    "explain",
    "find",
    "has",
    "have",
    "how",
    "is",
    "list",
    "locate",
    "look",
    "read",
    "run",
    "search",
    "show",
    "summarise",
    "summarize",
    "tell",
    "was",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "whom",
    "whose",
    "why",
];

const EDITING: [&str; 34] = [
    "add",
    "append",
    "change",
    "correct",
    "create",
    "decrease",
    "define",
    "delete",
    "double",
    "extend",
    "extract",
    "fix",
    "implement",
    "increase",
    "insert",
    "lower",
    "make",
    "merge",
    "move",
    "raise",
    "reduce",
    "remove",
    "rename",
    "repair",
    "replace",
    "reverse",
    "rewrite",
    "set",
    "simplify",
    "sort",
    "split",
    "swap",
    "update",
    "write",
];

/// What is looked for by these, is asked for as a place.
const PLACES: [&str; 6] = ["directory", "file", "files", "folder", "module", "place"];

/// What is asked for by its name, and how languages begin to define it.
const DEFINED: [(&[&str], &[&str]); 2] = [
    (&["function", "functions", "method", "methods"], &["fn", "def", "function", "func"]),
    (
        &["class", "classes", "enum", "exception", "struct", "trait", "type"],
        &["class", "struct", "enum", "trait", "type", "interface"],
    ),
];

/// The words of a request.
#[derive(Debug)]
pub(super) struct Cues(Vec<String>);

impl Cues {
    pub(super) fn of(request: &str) -> Self {
        let words = request.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
        Self(words.map(str::to_lowercase).collect())
    }

    /// Whether the tool of this name is of use first, to a question or an edit.
    pub(super) fn allow(&self, tool: &str) -> bool {
        SUBJECTS.iter().all(|it| !it.tools.contains(&tool) || self.has(it.words))
    }

    /// The only tools that can answer this question, best known from its words.
    pub(super) fn only(&self) -> Option<&'static [&'static str]> {
        let starts =
            |pair: &[&str; 2]| matches!(&self.0[..], [a, b, ..] if a == pair[0] && b == pair[1]);
        if self.has(&TESTS) && self.has(&OUTCOMES) {
            Some(&FOR_TESTS)
        } else if ORIGINS.iter().any(starts) {
            Some(&FOR_ORIGIN)
        } else {
            None
        }
    }

    /// What the first words say of what is wanted; `None` where they may mean either. A model is wrong
    /// about some of these, and takes time for all.
    pub(super) fn kind(&self) -> Option<Kind> {
        let (first, rest) = self.wanted().split_first()?;
        if EDITING.contains(&first.as_str()) {
            // "Make sure that the tests pass."
            return (rest.first().is_none_or(|it| it != "sure")).then_some(Kind::Edit);
        }
        // "Run the tests and fix what fails."
        let edits_then = rest.iter().any(|it| EDITING.contains(&it.as_str()));
        let is_question = !matches!(first.as_str(), "find" | "look" | "read" | "run" | "search");
        (ASKING.contains(&first.as_str()) && (is_question || !edits_then)).then_some(Kind::Question)
    }

    /// Whether the answer is a place in the code: "where", "which file", "find".
    pub(super) fn ask_where(&self) -> bool {
        match self.wanted() {
            [first, ..] if ["where", "find", "locate"].contains(&first.as_str()) => true,
            [first, second, ..] if ["which", "what"].contains(&first.as_str()) => {
                PLACES.contains(&second.as_str())
            }
            [first, second, third, ..] if first == "in" && second == "which" => {
                PLACES.contains(&third.as_str())
            }
            [..] => false,
        }
    }

    /// How the definition begins whose name is the answer: "which function".
    pub(super) fn ask_name(&self) -> Option<&'static [&'static str]> {
        let [first, second, ..] = self.wanted() else { return None };
        if !["which", "what"].contains(&first.as_str()) {
            return None;
        }
        DEFINED.iter().find(|it| it.0.contains(&second.as_str())).map(|it| it.1)
    }

    fn wanted(&self) -> &[String] {
        let before = self.0.iter().take_while(|it| BEFORE.contains(&it.as_str())).count();
        &self.0[before..]
    }

    /// Whether it may be a greeting or a word of thanks, for which nothing has to be looked up.
    pub(super) fn may_be_talk(&self) -> bool {
        self.0.len() <= LONGEST_TALK
    }

    fn has(&self, any: &[&str]) -> bool {
        self.0.iter().any(|it| any.contains(&it.as_str()))
    }
}

/// Words of a greeting.
const LONGEST_TALK: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_about_something_are_for_requests_about_it() {
        let allowed = |request: &str| {
            let cues = Cues::of(request);
            let tools = ["run_tests", "git_log", "git_status", "search"];
            tools.into_iter().filter(|it| cues.allow(it)).collect::<Vec<_>>().join(" ")
        };
        for (request, tools) in [
            ("Which commands does the command line understand?", "search"),
            ("lower the fee to twenty cents", "search"),
            ("Do the tests pass?", "run_tests search"),
            ("who wrote the parser", "git_log search"),
            ("What changed since Monday?", "git_log git_status search"),
            ("is everything committed", "git_log git_status search"),
            ("does it work", "run_tests git_status search"),
        ] {
            assert_eq!(allowed(request), tools, "{request}");
        }
    }

    #[test]
    fn first_words_say_what_is_wanted() {
        for (request, kind) in [
            ("Sort the list from Z to A.", Some(Kind::Edit)),
            ("could you please rename it", Some(Kind::Edit)),
            ("Which file sets the limit?", Some(Kind::Question)),
            ("Can you find the parser?", Some(Kind::Question)),
            ("What does this commit add?", Some(Kind::Question)),
            ("How do I change the limit?", Some(Kind::Question)),
            ("Run the tests and fix what fails.", None),
            ("make sure that the tests pass", None),
            ("Good morning.", None),
            ("okay, please", None),
            ("", None),
        ] {
            assert_eq!(Cues::of(request).kind(), kind, "{request}");
        }
    }

    #[test]
    fn some_answers_are_places() {
        for (request, is_place) in [
            ("Where do we sort the list?", true),
            ("Please find everything that calls convert.", true),
            ("Which files use the mean?", true),
            ("In which module is the parser?", true),
            ("Which function sorts the list?", false),
            ("In a moment.", false),
            ("which", false),
        ] {
            assert_eq!(Cues::of(request).ask_where(), is_place, "{request}");
        }
        let begins = Cues::of("Which function sorts the list?").ask_name();
        assert!(begins.is_some_and(|it| it.contains(&"def")), "{begins:?}");
        assert_eq!(Cues::of("What is a function?").ask_name(), None);
    }

    #[test]
    fn some_questions_can_be_about_one_thing_only() {
        for (question, tools) in [
            ("Why does the test of the parser fail?", Some(&FOR_TESTS[..])),
            ("run the tests", Some(&FOR_TESTS[..])),
            ("Which tests are there?", None),
            ("When did we begin to charge?", Some(&FOR_ORIGIN[..])),
            ("who added the alarm", Some(&FOR_ORIGIN[..])),
            ("when does the cache expire", None),
            ("who", None),
        ] {
            assert_eq!(Cues::of(question).only(), tools, "{question}");
        }
    }
}
