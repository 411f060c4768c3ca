//! What the words of a request say without a model: which tools are of use at its first step, and,
//! where they leave no doubt, whether it is an edit and what its answer begins with.
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

const ASKING: [&str; 18] = [
    "am", "are", "did", "does", "has", "how", "is", "was", "were", "what", "where", "which", "who",
    "whom", "whose", "why", "will", "should",
];

/// Questions by their form, and orders by what they mean: "how about renaming it".
const ORDERS_AS_QUESTIONS: [[&str; 2]; 5] =
    [["how", "about"], ["what", "about"], ["what", "if"], ["why", "don"], ["why", "not"]];

/// Orders to look at something. "Run the tests and fix what fails" is more.
const LOOKING: [&str; 13] = [
    "count",
    "describe",
    "explain",
    "find",
    "list",
    "locate",
    "look",
    "read",
    "run",
    "search",
    "show",
    "summarise",
    "tell",
];

const EDITING: [&str; 29] = [
    "add",
    "append",
    "change",
    "create",
    "decrease",
    "delete",
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
    "write",
];

/// What these are said about is no file: "make sure", "sort of", "make a list", "change of plans".
const NOT_EDITED: [&str; 14] = [
    "of", "on", "up", "me", "us", "sure", "sense", "list", "summary", "note", "guess", "call",
    "report", "joke",
];

/// What is looked for by these, is asked for as a place.
const PLACES: [&str; 6] = ["directory", "file", "files", "folder", "module", "place"];

/// What is found by these words is no place: "find out why", "find an example".
const FOUND_OTHERWISE: [&str; 9] = ["a", "an", "how", "if", "me", "out", "what", "whether", "why"];

/// What is asked for by its name, and how languages begin to define it.
const DEFINED: [(&[&str], &[&str]); 2] = [
    (&["function", "functions", "method", "methods"], &["fn", "def", "function", "func"]),
    (
        &["class", "classes", "enum", "enums", "struct", "structs", "trait", "traits"],
        &["class", "struct", "enum", "trait"],
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

    /// What the first words say of what is wanted; `None` where they leave a doubt, and somebody has
    /// to be asked who takes time for it and may be wrong.
    pub(super) fn kind(&self) -> Option<Kind> {
        let (first, rest) = self.wanted().split_first()?;
        let edits = |it: &[String]| it.iter().any(|it| EDITING.contains(&it.as_str()));
        if EDITING.contains(&first.as_str()) {
            let mut objects = rest.iter().filter(|it| !["a", "an", "the"].contains(&it.as_str()));
            let is_file = objects.next().is_some_and(|it| !NOT_EDITED.contains(&it.as_str()));
            is_file.then_some(Kind::Edit)
        } else if LOOKING.contains(&first.as_str()) {
            (!edits(rest)).then_some(Kind::Question)
        } else if ASKING.contains(&first.as_str()) {
            let is_order = ORDERS_AS_QUESTIONS
                .iter()
                .any(|it| first == it[0] && rest.first().is_some_and(|second| second == it[1]));
            // "Where it says ten, write twelve."
            let is_place = ["where", "what", "which"].contains(&first.as_str())
                && rest.first().is_some_and(|it| it == "it");
            (!is_order && !is_place).then_some(Kind::Question)
        } else {
            None
        }
    }

    /// Whether the answer is a place in the code: "where", "which file", "find".
    pub(super) fn ask_where(&self) -> bool {
        match self.wanted() {
            [first, ..] if first == "where" => true,
            [first, second, ..] if ["find", "locate"].contains(&first.as_str()) => {
                !FOUND_OTHERWISE.contains(&second.as_str())
            }
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
        let named = || DEFINED.iter().find(|it| it.0.contains(&second.as_str()));
        if first == "which" { named().map(|it| it.1) } else { None }
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
        let kinds =
            |requests: &[&str]| requests.iter().map(|it| Cues::of(it).kind()).collect::<Vec<_>>();
        let edits = [
            "Sort the entries by date.",
            "could you please rename it",
            "Make the banner green",
            "raise it to six",
            "Write the header in capitals.",
        ];
        assert_eq!(kinds(&edits), [Some(Kind::Edit); 5]);
        let questions = [
            "Which file sets the limit?",
            "Can you find the parser?",
            "What does this commit add?",
            "How do I change the limit?",
            "Is it sorted?",
            "Why does the build fail?",
        ];
        assert_eq!(kinds(&questions), [Some(Kind::Question); 6]);
        for doubt in [
            "Run the tests and fix what fails.",
            "Tell me what fails and remove it.",
            "make sure that the tests pass",
            "Make a list of the files.",
            "Sort of.",
            "Move on.",
            "Change of plans.",
            "Double-check that the tests pass.",
            "Update me on the tests",
            "Correct, thanks.",
            "Can you do the same for kelvin?",
            "Do it again.",
            "Have it return five.",
            "When the list is empty, return zero.",
            "Where it says ten, write twelve.",
            "How about renaming it?",
            "Why don't you add a test?",
            "What if you remove it?",
            "Good morning.",
            "okay, please",
            "sort",
            "",
        ] {
            assert_eq!(Cues::of(doubt).kind(), None, "{doubt}");
        }
    }

    #[test]
    fn some_answers_are_places() {
        for (request, is_place) in [
            ("Where is the parser?", true),
            ("Please find the parser.", true),
            ("Which files are tests?", true),
            ("In which module is the parser?", true),
            ("Which function parses?", false),
            ("Find out why it fails.", false),
            ("Find an example.", false),
            ("In a moment.", false),
            ("which", false),
        ] {
            assert_eq!(Cues::of(request).ask_where(), is_place, "{request}");
        }
        let begins = Cues::of("Which function parses?").ask_name();
        assert!(begins.is_some_and(|it| it.contains(&"def")), "{begins:?}");
        for other in ["What function do you mean?", "Which type does it return?", "Which"] {
            assert_eq!(Cues::of(other).ask_name(), None, "{other}");
        }
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
