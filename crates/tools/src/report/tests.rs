//! Real output of each runner, and what is read from it.

use std::fmt::Write as _;

use super::*;

/// `samples/` holds what the runners printed for a small project with known failures (go's is
/// written after its documentation).
#[track_caller]
fn check(output: &str, expect: &str) {
    let report = parse(output).expect("a report");
    let passed = report.passed.map_or("?".to_owned(), |it| it.to_string());
    let mut shown =
        format!("{passed} passed, {} failed, {} skipped\n", report.failed, report.skipped);
    let broken = report.broken.iter().map(|failure| ("broken", failure));
    for (kind, failure) in broken.chain(report.failures.iter().map(|failure| ("failed", failure))) {
        let places: Vec<String> =
            failure.places.iter().map(|it| format!("{}:{}", it.path, it.line)).collect();
        writeln!(shown, "{kind} {} [{}]", failure.name, places.join(" ")).unwrap();
        writeln!(shown, "  {}", failure.message).unwrap();
    }
    assert_eq!(shown.trim(), expect.trim(), "\n{shown}");
}

#[test]
fn cargo() {
    check(
        include_str!("../../samples/cargo.txt"),
        "
1 passed, 3 failed, 0 skipped
failed tests::an_empty_line_has_no_fields [src/lib.rs:24]
  assertion `left == right` failed, left: 1, right: 0
failed tests::panics [src/lib.rs:29]
  test did not panic as expected at src/lib.rs:29:8
failed tests::unwraps [src/lib.rs:34]
  called `Result::unwrap()` on an `Err` value: \"no number\"
",
    );
    check(
        include_str!("../../samples/cargo-broken.txt"),
        "
? passed, 0 failed, 0 skipped
broken  [src/lib.rs:37]
  error[E0308]: mismatched types, expected `u32`, found `&str`
",
    );
}

#[test]
fn pytest() {
    check(
        include_str!("../../samples/pytest.txt"),
        "
2 passed, 4 failed, 0 skipped
failed pt_test.py::test_add [pt_test.py:4]
  assert -1 == 3, +  where -1 = add(1, 2)
failed pt_test.py::test_p[2] [pt_test.py:9]
  AssertionError: must be one, assert 2 == 1, +  where 2 = add(2, 0)
failed pt_test.py::test_raise [pt_test.py:13 pt_test.py:11]
  ValueError: deep
failed pt_test.py::test_fix [pt_test.py:16]
  RuntimeError: fixture
",
    );
    check(
        include_str!("../../samples/pytest-import.txt"),
        "
0 passed, 1 failed, 0 skipped
broken test_bad.py [test_bad.py:1]
  ModuleNotFoundError: No module named 'nothing_here'
",
    );
}

#[test]
fn unittest() {
    check(
        include_str!("../../samples/unittest.txt"),
        "
1 passed, 2 failed, 1 skipped
failed test_calc.TestAdd.test_error [/tmp/pj/py/tests/test_calc.py:17 /tmp/pj/py/calc.py:2]
  TypeError: unsupported operand type(s) for -: 'int' and 'NoneType'
failed test_calc.TestAdd.test_add [/tmp/pj/py/tests/test_calc.py:6]
  AssertionError: -1 != 3
",
    );
    check(
        include_str!("../../samples/unittest-import.txt"),
        "
0 passed, 1 failed, 0 skipped
broken unittest.loader._FailedTest.test_bad [/tmp/pj/py/test_bad.py:1]
  ModuleNotFoundError: No module named 'nothing_here'
",
    );
}

#[test]
fn jest() {
    check(
        include_str!("../../samples/jest.txt"),
        "
1 passed, 1 failed, 1 skipped
failed sum › adds [sum.test.js:3]
  expect(received).toBe(expected) // Object.is equality, Expected: 3, Received: -1
",
    );
}

#[test]
fn vitest() {
    check(
        include_str!("../../samples/vitest.txt"),
        "
1 passed, 1 failed, 1 skipped
failed v/v.test.mjs > sum > adds [v/v.test.mjs:3]
  AssertionError: expected -1 to be 3 // Object.is equality
",
    );
}

#[test]
fn mocha() {
    check(
        include_str!("../../samples/mocha.txt"),
        "
1 passed, 1 failed, 1 skipped
failed sum adds [m/m.js:2]
  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal: -1 !== 3
",
    );
}

#[test]
fn node() {
    check(
        include_str!("../../samples/node-spec.txt"),
        "
1 passed, 2 failed, 1 skipped
failed adds [/tmp/pj/js/test/sum.test.js:5]
  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal: -1 !== 3
failed nested [/tmp/pj/js/test/sum.test.js:7]
  AssertionError [ERR_ASSERTION]: four it is
",
    );
    check(
        include_str!("../../samples/node-tap.txt"),
        "
1 passed, 2 failed, 1 skipped
failed adds [/tmp/pj/js/test/sum.test.js:5]
  Expected values to be strictly equal: -1 !== 3
failed nested [/tmp/pj/js/test/sum.test.js:7]
  four it is
",
    );
}

#[test]
fn go() {
    check(
        include_str!("../../samples/go.txt"),
        "
? passed, 2 failed, 0 skipped
failed TestAdd [calc_test.go:7]
  Add(1, 2) = -1, want 3
failed TestTable/zero [calc_test.go:15]
  got 1
",
    );
}

#[test]
fn passing_runs() {
    check(
        "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured",
        "3 passed, 0 failed, 1 skipped",
    );
    check("...\n3 passed in 0.01s\n", "3 passed, 0 failed, 0 skipped");
    check("==== 3 passed, 1 warning in 0.01s ====\n", "3 passed, 0 failed, 0 skipped");
    check("Ran 2 tests in 0.0s\n\nOK\n", "2 passed, 0 failed, 0 skipped");
    check("ok  \texample.com/a\t0.1s\n", "? passed, 0 failed, 0 skipped");
    check("no tests ran in 0.00s", "0 passed, 0 failed, 0 skipped");
}

#[test]
fn other_output_is_no_report() {
    for other in ["", "make: *** No rule to make target 'test'.", "bash: cargo: command not found"]
    {
        assert_eq!(parse(other), None, "{other}");
    }
}

/// No cut of any sample, and no mixture of them, makes a parser fail in another way than by
/// saying less.
#[test]
fn damaged_output_harms_nobody() {
    let samples = [
        include_str!("../../samples/cargo.txt"),
        include_str!("../../samples/pytest.txt"),
        include_str!("../../samples/unittest.txt"),
        include_str!("../../samples/jest.txt"),
        include_str!("../../samples/vitest.txt"),
        include_str!("../../samples/mocha.txt"),
        include_str!("../../samples/node-spec.txt"),
        include_str!("../../samples/node-tap.txt"),
        include_str!("../../samples/go.txt"),
    ];
    for sample in samples {
        let lines: Vec<&str> = sample.lines().collect();
        for left_out in 0..lines.len() {
            let rest = [&lines[..left_out], &lines[left_out + 1..]].concat();
            parse(&rest.join("\n"));
            parse(&lines[left_out..].join("\n"));
            parse(&lines[..left_out].join("\n"));
        }
    }
    parse(&samples.concat());
}
