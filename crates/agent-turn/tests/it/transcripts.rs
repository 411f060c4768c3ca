use agent_turn::{Enforcement, Limits, Setup, Turn};
use protocol::{ModelItem, Role};
use stdx::Time;

use crate::table::{parse, setup, show};

/// Replays the `>` lines of a transcript and expects the same transcript back.
///
/// A `>` line is an input, optionally after `@` and the time in milliseconds. The indented
/// lines under it are everything the turn wanted done.
#[track_caller]
fn check_turn(setup: Setup, transcript: &str) {
    let mut now = Time::ZERO;
    let mut turn = Turn::new(setup);
    let mut replay = String::new();
    for line in transcript.lines().filter(|line| line.starts_with('>')) {
        replay += &format!("{}\n", line.trim_end());
        let mut input = line[1..].trim();
        if let Some((at, rest)) = input.strip_prefix('@').and_then(|it| it.split_once(' ')) {
            now = Time::from_millis(at.parse().expect("milliseconds"));
            input = rest;
        }
        for output in turn.handle(parse(input), now) {
            replay += &format!("  {}\n", show(&output).trim_end());
        }
    }
    assert_eq!(replay.trim(), transcript.trim());
}

#[track_caller]
fn check(transcript: &str) {
    check_turn(setup(Limits::full()), transcript);
}

#[track_caller]
fn check_small(transcript: &str) {
    check_turn(setup(Limits::small()), transcript);
}

#[test]
fn answer_without_tools() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 text hel
  * + t-2 agent:
  * ~ t-2 hel
> #1 text lo
  * ~ t-2 lo
> #1 says hello
  * = t-2 agent: hello
> #1 done
  * usage 1 of 1
  record assistant: hello
  * turn completed
  sync
  ended completed, answer: hello
> #1 text late
> interrupt
> tick
",
    );
}

#[test]
fn reads_go_side_by_side_and_effects_one_by_one() {
    check(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 thinks look first
  * + t-2 reasoning: look first
  * = t-2 reasoning: look first
> #1 says I look.
  * + t-3 agent: I look.
  * = t-3 agent: I look.
> #1 calls a read {"file":"a.rs"}
> #1 calls b read {"file":"b.rs"}
> #1 calls c write {"file":"a.rs","text":"x"}
> #1 calls d read {"file":"a.rs"}
> #1 calls e run_tests
> #1 done
  * usage 1 of 1
  record reasoning <look first>
  record assistant: I look.
  record call a read
  record call b read
  record call c write
  record call d read
  record call e run_tests
  progress I look.
  run #2 t-4 a read {"file":"a.rs"}
  run #3 t-5 b read {"file":"b.rs"}
> #3 started
  * + t-5 tool InProgress
> #3 finished bee
  * = t-5 tool Completed bee
> #2 finished ay
  * + t-4 tool Completed ay
  * = t-4 tool Completed ay
  record output a: ay
  record output b: bee
  sync
  run #4 t-6 c write {"file":"a.rs","text":"x"}
> #4 finished written
  * + t-6 tool Completed written
  * = t-6 tool Completed written
  record output c: written
  run #5 t-7 d read {"file":"a.rs"}
> #5 finished x
  * + t-7 tool Completed x
  * = t-7 tool Completed x
  record output d: x
  sync
  run #6 t-8 e run_tests
> #6 started
  * + t-8 tool InProgress
> #6 prints 1 failed
  * ~ t-8 1 failed
> #6 failed 1 failed
  * = t-8 tool Failed 1 failed
  record output e: 1 failed
  call #7 with 13 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #7 says It fails.
  * + t-9 agent: It fails.
  * = t-9 agent: It fails.
> #7 done
  * usage 1 of 2
  record assistant: It fails.
  * turn completed
  sync
  ended completed, answer: It fails.
"#,
    );
}

#[test]
fn wrong_calls_are_answered_with_what_is_wrong() {
    check(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a grep {}
> #1 calls b read {"file":"c.rs"}
> #1 calls c read {"file":
> #1 calls d read {"file":"a.rs"}
> #1 done
  * usage 1 of 1
  record call a grep
  record call b read
  record call c read
  record call d read
  * + t-2 grep Failed there is no tool `grep`; the tools are read, search, write, run_tests
  * = t-2 grep Failed there is no tool `grep`; the tools are read, search, write, run_tests
  * + t-3 read Failed `file` cannot be `c.rs`; it can be `a.rs`, `b.rs`
  * = t-3 read Failed `file` cannot be `c.rs`; it can be `a.rs`, `b.rs`
  * + t-4 read Failed the arguments are not JSON: EOF while parsing a value at line 1 column 8
  * = t-4 read Failed the arguments are not JSON: EOF while parsing a value at line 1 column 8
  record output a: there is no tool `grep`; the tools are read, search, write, run_tests
  record output b: `file` cannot be `c.rs`; it can be `a.rs`, `b.rs`
  record output c: the arguments are not JSON: EOF while parsing a value at line 1 column 8
  run #2 t-5 d read {"file":"a.rs"}
> #2 finished ay
  * + t-5 tool Completed ay
  * = t-5 tool Completed ay
  record output d: ay
  call #3 with 9 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
"#,
    );
}

#[test]
fn calls_with_one_id_are_told_apart() {
    check(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a read {"file":"a.rs"}
> #1 calls a read {"file":"b.rs"}
> #1 calls  read {"file":"b.rs"}
> #1 done
  * usage 1 of 1
  record call a read
  record call a-2 read
  record call call-2 read
  run #2 t-2 a read {"file":"a.rs"}
  run #3 t-3 a-2 read {"file":"b.rs"}
  run #4 t-4 call-2 read {"file":"b.rs"}
> #2 finished 2
  * + t-2 tool Completed 2
  * = t-2 tool Completed 2
  record output a: 2
> #3 finished 3
  * + t-3 tool Completed 3
  * = t-3 tool Completed 3
  record output a-2: 3
> #4 finished 4
  * + t-4 tool Completed 4
  * = t-4 tool Completed 4
  record output call-2: 4
  call #5 with 7 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #5 calls a read {"file":"b.rs"}
> #5 done
  * usage 1 of 2
  record call a-3 read
  run #6 t-5 a-3 read {"file":"b.rs"}
"#,
    );
}

#[test]
fn steering_joins_the_next_model_call() {
    check(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> steer also b
> #1 calls a read {"file":"a.rs"}
> #1 done
  * usage 1 of 1
  record call a read
  run #2 t-2 a read {"file":"a.rs"}
> steer and c
> #2 finished ay
  * + t-2 tool Completed ay
  * = t-2 tool Completed ay
  record output a: ay
  record user: also b
  * + t-3 user: also b
  * = t-3 user: also b
  record user: and c
  * + t-4 user: and c
  * = t-4 user: and c
  call #3 with 5 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #3 says done
  * + t-5 agent: done
  * = t-5 agent: done
> steer one more
> #3 done
  * usage 1 of 2
  record assistant: done
  record user: one more
  * + t-6 user: one more
  * = t-6 user: one more
  call #4 with 7 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #4 says really done
  * + t-7 agent: really done
  * = t-7 agent: really done
> #4 done
  * usage 1 of 3
  record assistant: really done
  * turn completed
  sync
  ended completed, answer: really done
"#,
    );
}

#[test]
fn failing_model_is_asked_again_in_the_same_item() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 text hel
  * + t-2 agent:
  * ~ t-2 hel
> #1 fails
  * retry 1 in 244ms: overloaded
> @100 tick
> steer louder
> @1000 tick
  record user: louder
  * + t-3 user: louder
  * = t-3 user: louder
  call #2 with 2 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 text late
> #2 fails after 3000
  * retry 2 in 3035ms: overloaded
> @4100 tick
  call #3 with 2 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #3 text hello
  * ~ t-2 hello
> #3 done
  * = t-2 agent: hello
  * usage 1 of 1
  record assistant: hello
  * turn completed
  sync
  ended completed, answer: hello
",
    );
}

#[test]
fn calls_of_a_failed_reply_never_run() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a run_tests
> #1 fails
  * retry 1 in 244ms: overloaded
> @1000 tick
  call #2 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #2 calls a run_tests
> #2 done
  * usage 1 of 1
  record call a run_tests
  sync
  run #3 t-2 a run_tests
",
    );
}

#[test]
fn enough_failures_end_the_turn() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 fails
  * retry 1 in 244ms: overloaded
> @1000 tick
  call #2 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #2 fails
  * retry 2 in 435ms: overloaded
> @2000 tick
  call #3 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #3 fails
  * retry 3 in 863ms: overloaded
> @4000 tick
  call #4 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #4 fails
  * retry 4 in 1763ms: overloaded
> @8000 tick
  call #5 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #5 fails
  * retry 5 in 3257ms: overloaded
> @20000 tick
  call #6 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #6 fails
  * turn failed: overloaded
  sync
  ended failed: overloaded, answer: -
",
    );
}

/// Each model call has all its tries: a long turn meets many passing failures.
#[test]
fn failures_that_were_overcome_do_not_count() {
    check_turn(
        setup(Limits { retries: 1, ..Limits::full() }),
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 fails
  * retry 1 in 244ms: overloaded
> @1000 tick
  call #2 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #2 calls a read {"file":"a.rs"}
> #2 done
  * usage 1 of 1
  record call a read
  run #3 t-2 a read {"file":"a.rs"}
> #3 finished text
  * + t-2 tool Completed text
  * = t-2 tool Completed text
  record output a: text
  call #4 with 3 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #4 fails
  * retry 1 in 234ms: overloaded
> @2000 tick
  call #5 with 3 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #5 says done
  * + t-3 agent: done
  * = t-3 agent: done
> #5 done
  * usage 1 of 2
  record assistant: done
  * turn completed
  sync
  ended completed, answer: done
"#,
    );
}

#[test]
fn refusal_by_the_service_ends_the_turn() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 refuses
  * turn failed: no such model
  sync
  ended failed: no such model, answer: -
",
    );
}

#[test]
fn a_wait_nobody_would_sit_through_ends_the_turn() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 fails after 3600000
  * turn failed: overloaded
  sync
  ended failed: overloaded, answer: -
",
    );
}

#[test]
fn interrupt_while_the_model_speaks() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 text I would
  * + t-2 agent:
  * ~ t-2 I would
> interrupt
  cancel #1
  * = t-2 agent: I would
  record assistant: I would
  record developer: The user interrupted the work above before it was finished.
  * turn interrupted
  sync
  ended interrupted, answer: -
> #1 text never
> #1 done
",
    );
}

#[test]
fn interrupt_answers_every_call_and_waits_for_the_tool() {
    check(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a run_tests
> #1 calls b read {"file":"a.rs"}
> #1 done
  * usage 1 of 1
  record call a run_tests
  record call b read
  sync
  run #2 t-2 a run_tests
> #2 started
  * + t-2 tool InProgress
> steer look at b
> interrupt
  stop #2
> steer something else
> interrupt
> #2 failed 3 of 9 ran
  * = t-2 tool Failed 3 of 9 ran
  record output a: aborted by the user
3 of 9 ran
  record output b: aborted by the user
  record user: look at b
  * + t-4 user: look at b
  * = t-4 user: look at b
  record developer: The user interrupted the work above before it was finished.
  * turn interrupted
  sync
  ended interrupted, answer: - unheard: something else
"#,
    );
}

#[test]
fn interrupt_does_not_wait_for_ever() {
    check(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a read {"file":"a.rs"}
> #1 calls b read {"file":"b.rs"}
> #1 done
  * usage 1 of 1
  record call a read
  record call b read
  run #2 t-2 a read {"file":"a.rs"}
  run #3 t-3 b read {"file":"b.rs"}
> #3 started
  * + t-3 tool InProgress
> @100 interrupt
  stop #2
  stop #3
> @200 #2 finished ay
  * + t-2 tool Completed ay
  * = t-2 tool Completed ay
  record output a: ay
> @5000 tick
> @5100 tick
  * = t-3 tool Failed
  record output b: aborted by the user
it may still be ending
  record developer: The user interrupted the work above before it was finished.
  * turn interrupted
  sync
  ended interrupted, answer: -
> #3 finished late
"#,
    );
}

#[test]
fn interrupt_while_waiting_for_another_try() {
    check(
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 text hel
  * + t-2 agent:
  * ~ t-2 hel
> #1 fails
  * retry 1 in 244ms: overloaded
> interrupt
  record developer: The user interrupted the work above before it was finished.
  * = t-2 agent: hel
  * turn interrupted
  sync
  ended interrupted, answer: -
> @1000 tick
",
    );
}

#[test]
fn what_may_not_run_is_declined() {
    let mut setup = setup(Limits::full());
    setup.permissions.enforcement =
        Enforcement::Unavailable { why: "this kernel has no Landlock".to_owned() };
    check_turn(
        setup,
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a run_tests
> #1 done
  * usage 1 of 1
  record call a run_tests
  * + t-2 run_tests Declined refused: run_tests would run a program, and no sandbox can be had here (this kernel has no Landlock). Do without it, or tell the user to start with `--sandbox danger-full-access` inside a container or virtual machine.
  * = t-2 run_tests Declined refused: run_tests would run a program, and no sandbox can be had here (this kernel has no Landlock). Do without it, or tell the user to start with `--sandbox danger-full-access` inside a container or virtual machine.
  record output a: refused: run_tests would run a program, and no sandbox can be had here (this kernel has no Landlock). Do without it, or tell the user to start with `--sandbox danger-full-access` inside a container or virtual machine.
  call #2 with 3 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
",
    );
}

#[test]
fn small_model_does_not_get_the_same_answer_twice() {
    check_small(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a run_tests
> #1 done
  * usage 1 of 1
  record call a run_tests
  sync
  run #2 t-2 a run_tests
> #2 finished 1 failed
  * + t-2 tool Completed 1 failed
  * = t-2 tool Completed 1 failed
  record output a: 1 failed
  call #3 with 3 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #3 calls b read {"file":"a.rs"}
> #3 done
  * usage 1 of 2
  record call b read
  run #4 t-3 b read {"file":"a.rs"}
> #4 finished ay
  * + t-3 tool Completed ay
  * = t-3 tool Completed ay
  record output b: ay
  call #5 with 5 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #5 calls c search {"text":"x"}
> #5 done
  * usage 1 of 3
  record call c search
  run #6 t-4 c search {"text":"x"}
> #6 finished none
  * + t-4 tool Completed none
  * = t-4 tool Completed none
  record output c: none
  call #7 with 7 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #7 calls d search {"text":"x"}
> #7 done
  * usage 1 of 4
  record call d search
  * + t-5 search Failed search was already called with the same arguments; its result is above. Answer with it, or do something else.
  * = t-5 search Failed search was already called with the same arguments; its result is above. Answer with it, or do something else.
  record output d: search was already called with the same arguments; its result is above. Answer with it, or do something else.
  call #8 with 9 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #8 calls e write {"file":"a.rs","text":"x"}
> #8 done
  * usage 1 of 5
  record call e write
  sync
  run #9 t-6 e write {"file":"a.rs","text":"x"}
> #9 finished written
  * + t-6 tool Completed written
  * = t-6 tool Completed written
  record output e: written
  call #10 with 11 items, none: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #10 calls f read {"file":"a.rs"}
> #10 done
  * usage 1 of 6
  record call f read
  record output f: not run: no more tools in this turn
  * turn failed: the model found no answer within 6 steps; ask for less at once, or use a larger model
  sync
  ended failed: the model found no answer within 6 steps; ask for less at once, or use a larger model, answer: -
"#,
    );
}

#[test]
fn outputs_are_cut() {
    let mut limits = Limits::small();
    limits.tool_output_tokens = 30;
    check_turn(
        setup(limits),
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a read {"file":"a.rs"}
> #1 calls b read {"file":"b.rs"}
> #1 done
  * usage 1 of 1
  record call a read
  record call b read
  run #2 t-2 a read {"file":"a.rs"}
  run #3 t-3 b read {"file":"b.rs"}
> #2 finished aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  * + t-2 tool Completed aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  * = t-2 tool Completed aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  record output a: aaaaaaaaaaaaaaaaaa
[... 1 line (93 bytes) left out ...]
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
> #3 finished bee
  * + t-3 tool Completed bee
  * = t-3 tool Completed bee
  record output b: bee
  call #4 with 5 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
"#,
    );
}

#[test]
fn too_long_leaves_out_the_oldest_part() {
    let mut setup = setup(Limits::full());
    for words in ["one", "two", "three"] {
        for role in [Role::User, Role::Assistant] {
            setup.history.push(ModelItem::Message { role, text: format!("{words:100}") });
        }
    }
    check_turn(
        setup,
        "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 7 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 too long
  * warning: the conversation no longer fits the model; its oldest part is left out
  call #2 with 3 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #2 too long
  * warning: the conversation no longer fits the model; its oldest part is left out
  call #3 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #3 too long
  * turn failed: too long
  sync
  ended failed: too long, answer: -
",
    );
}

/// A long turn of a large model goes on: its oldest outputs are named where they do not fit,
/// the newest one is always shown, and no call loses its answer.
#[test]
fn a_long_turn_names_its_oldest_outputs() {
    let mut limits = Limits::full();
    limits.context_tokens = 100;
    let step = |model: u32, call: &str, items: usize, named: &str| {
        let (run, next) = (model + 1, model + 2);
        let item = model / 2 + 2;
        let output = call.repeat(160);
        format!(
            r#"
> #{model} calls {call} read {{"file":"a.rs"}}
> #{model} done
  * usage 1 of {used}
  record call {call} read
  run #{run} t-{item} {call} read {{"file":"a.rs"}}
> #{run} finished {output}
  * + t-{item} tool Completed {output}
  * = t-{item} tool Completed {output}
  record output {call}: {output}
  call #{next} with {items} items{named}, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests"#,
            used = model / 2 + 1,
        )
    };
    let steps = [
        step(1, "a", 3, ""),
        step(3, "b", 5, ""),
        step(5, "c", 7, " (named: a b)"),
        step(7, "d", 9, " (named: a b c)"),
    ];
    check_turn(
        setup(limits),
        &format!(
            "
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests{}
> #9 too long
  * turn failed: too long
  sync
  ended failed: too long, answer: -
",
            steps.concat()
        ),
    );
}

#[test]
fn too_long_in_the_middle_of_a_turn_names_its_oldest_outputs() {
    let output = "a".repeat(160);
    check(&format!(
        r#"
> begin
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  call #1 with 1 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #1 calls a read {{"file":"a.rs"}}
> #1 done
  * usage 1 of 1
  record call a read
  run #2 t-2 a read {{"file":"a.rs"}}
> #2 finished {output}
  * + t-2 tool Completed {output}
  * = t-2 tool Completed {output}
  record output a: {output}
  call #3 with 3 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #3 calls b search {{"text":"x"}}
> #3 done
  * usage 1 of 2
  record call b search
  run #4 t-3 b search {{"text":"x"}}
> #4 finished none
  * + t-3 tool Completed none
  * = t-3 tool Completed none
  record output b: none
  call #5 with 5 items, auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #5 too long
  * warning: the conversation no longer fits the model; its oldest part is left out
  call #6 with 5 items (named: a), auto: read(a.rs b.rs) search write(a.rs b.rs) run_tests
> #6 too long
  * turn failed: too long
  sync
  ended failed: too long, answer: -
"#
    ));
}

#[test]
fn interrupt_before_the_beginning() {
    check(
        "
> steer and this
> interrupt
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  record user: and this
  * + t-2 user: and this
  * = t-2 user: and this
  record developer: The user interrupted the work above before it was finished.
  * turn interrupted
  sync
  ended interrupted, answer: -
",
    );
}

#[test]
fn a_turn_that_cannot_be_run_fails_with_its_words_kept() {
    check(
        "
> abandon /gone is no directory
  * turn started, Typed
  record user: go
  * + t-1 user: go
  * = t-1 user: go
  * turn failed: /gone is no directory
  sync
  ended failed: /gone is no directory, answer: -
",
    );
}
