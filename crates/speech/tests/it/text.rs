//! What is written, and what is said.

use speech::text::utterances;

fn said(text: &str) -> String {
    utterances(text).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (written, expected) in cases {
        assert_eq!(said(written), *expected, "\nwritten: {written}");
    }
}

#[test]
fn plain_sentences_stay_as_they_are() {
    check(&[
        ("Two tests failed, and I don't know why.", "Two tests failed, and I don't know why."),
        ("Really? Yes! Done", "Really? Yes! Done."),
        ("He said “it’s fine”.", "He said it's fine."),
        ("A test, a b, and I.", "a test, a B, and I."),
        ("", ""),
        (" \n\t ", ""),
        ("...", ""),
        ("🎉 ✅", ""),
    ]);
}

#[test]
fn sentences_end_where_they_end() {
    let count = |text| utterances(text).len();
    assert_eq!(count("It failed. Then it passed. Good."), 3);
    assert_eq!(count("Use a flag, e.g. the first one, or cf. Dr. Smith."), 1);
    assert_eq!(count("See lib.rs for details. version 1.2 is out"), 1);
    assert_eq!(count("One line\nof the same paragraph.\n\nAnother"), 2);
    assert_eq!(count("Call `a.b. C` now. Then stop."), 2);
}

#[test]
fn numbers() {
    check(
        &[
            ("1 test", "one test."),
            ("12 passed, 1 failed", "twelve passed, one failed."),
            (
                "1,234,567 lines",
                "one million two hundred thirty four thousand five hundred sixty seven lines.",
            ),
            ("pi is 3.14", "pi is three point one four."),
            ("-1 and +2 and ~3", "minus one and plus two and about three."),
            ("45% of 100", "forty five percent of one hundred."),
            ("the 1st, 2nd, 3rd and 20th", "the first, second, third and twentieth."),
            ("in 2024 or 1905", "in twenty twenty four or nineteen oh five."),
            ("$5 or $5.20", "five dollars or five dollars and twenty cents."),
            ("issue #42", "issue number forty two."),
            ("0xff", "hex F F."),
            ("lines 3-5", "lines three to five."),
            ("12/13 tests", "twelve of thirteen tests."),
            ("007", "zero zero seven."),
            ("99999999999999999999", "nine ".repeat(20).trim()),
        ]
        .map(|(a, b)| (a, if b.ends_with('.') { b.to_owned() } else { format!("{b}.") }))
        .iter()
        .map(|(a, b)| (*a, b.as_str()))
        .collect::<Vec<_>>(),
    );
}

#[test]
fn times_dates_versions_and_units() {
    check(&[
        ("at 10:45", "at ten forty five."),
        ("at 9:05am", "at nine oh five A M."),
        ("at 10:00", "at ten o'clock."),
        ("on 2026-11-23", "on November twenty third, twenty twenty six."),
        ("Rust 1.95.0", "Rust one point ninety five point zero."),
        (
            "v0.27 and 2.0.0-rc.15",
            "version zero point twenty seven and two point zero point zero rc dot fifteen.",
        ),
        ("took 12ms", "took twelve milliseconds."),
        ("took 1.5s or 1 s", "took one point five seconds or one S."),
        ("took 250 ms", "took two hundred fifty milliseconds."),
        ("1 MB, 64KB and 16kHz", "one megabyte, sixty four kilobytes and sixteen kilohertz."),
        ("3x faster", "three times faster."),
    ]);
}

#[test]
fn names_of_programs() {
    check(&[
        ("`parse_empty_input` failed", "parse empty input failed."),
        ("parser::tests::empty_input", "parser tests empty input."),
        ("parseHTTPHeader and MyStruct", "parse HTTP Header and My Struct."),
        ("well-known APIs", "well known APIs."),
        ("main() returns Vec<String>", "main returns Vec of String."),
        ("an i32, a u8 and utf8", "an I thirty two, a U eight and utf eight."),
        ("sha256", "sha two fifty six."),
        ("--release and -p", "dash dash release and dash P."),
        ("a -> b, x == y", "a to B, X equals Y."),
        ("if x != 5", "if X is not five."),
        ("stdout, src, args", "standard out, source, arguments."),
        ("commit a1b2c3d4", "commit A one B two."),
        ("C++ and C#", "C plus plus and C sharp."),
        ("&str", "string."),
    ]);
}

#[test]
fn files_and_addresses() {
    check(&[
        ("in src/lib.rs", "in source slash lib dot R S."),
        ("in /home/me/work/src/parser.rs:42", "in source slash parser dot R S, line forty two."),
        ("main.py and Cargo.toml", "main dot pie and Cargo dot toml."),
        ("package.json:7:3", "package dot json, line seven."),
        ("see https://github.com/a/b?c=d", "see git hub dot com."),
        ("and/or", "and slash or."),
        (".gitignore", "dot gitignore."),
        ("U.S.", "U S."),
    ]);
}

#[test]
fn markdown_is_not_read() {
    check(&[
        ("# Result\n\nAll **good**.", "Result. All good."),
        ("- one\n- two\n", "one. two."),
        ("1. first\n2. second", "first. second."),
        ("Look:\n```rust\nfn main() {}\n```\nDone.", "Look. Done."),
        ("See [the docs](https://x.y/z) now.", "See the docs now."),
        ("> quoted\n\n---\n\nend", "quoted. end."),
        ("| a | b |\n|---|---|\n| c | d |", "a, B. C, D."),
        ("It is (almost) done", "It is, almost, done."),
        ("one; two: three — four", "one; two: three— four."),
    ]);
}

#[test]
fn nothing_written_makes_it_stumble() {
    let marks = [
        "(",
        "``",
        "```",
        "](",
        "[",
        "::",
        "--",
        "-",
        "v",
        "0x",
        "1..",
        "..1",
        "1,,2",
        "$",
        "$1.2.3",
        ":1",
        "a:1:",
        "1:2:3:4",
        "é",
        "日本語",
        "ﬁ",
        "1\u{300}",
        "١٢",
        "²",
        "½",
        "'",
        "''s",
        "\u{0}",
        "18446744073709551616",
        "v.1",
        "1.",
        ".5",
    ];
    for a in marks {
        for b in marks {
            for text in [format!("{a}{b}"), format!("{a} {b}"), format!("x{a}y{b}z")] {
                for utterance in utterances(&text) {
                    assert!(!utterance.to_string().is_empty(), "{text:?}");
                }
            }
        }
    }
}
