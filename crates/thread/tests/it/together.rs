//! Turns, conversations, and what they do to each other.

use stdx::Time;
use thread::ModelSize;

use crate::script::{Script, check, check_untrusted, show};

#[test]
fn typed_turn_and_the_next_one() {
    check(
        ModelSize::Full,
        r#"
> open
  * thread in /w
> start which test fails?
  accepted 1 t1
  * t1 is prepared
  prepare t1
> start in the parser
  accepted 2 t1
> prepared
  log t1
  record developer: <environment>
  * t1 started, Typed
  record user: which test fails?
  record user: in the parser
  call t1 #1 with 3 items
> says I run them.
> calls cargo test
> done
  record agent: I run them.
  record call shell
  run t1 #2 shell {"command":"cargo test"}
> steer and why
  accepted 3 t1
> finished 1 failed
  record output: 1 failed
  record user: and why
  call t1 #3 with 7 items
> says The first.
> done
  record agent: The first.
  * t1 completed
> start thanks
  accepted 4 t2
  * t2 is prepared
  prepare t2
> prepared
  log t2
  * t2 started, Typed
  record user: thanks
  call t2 #1 with 9 items
> says Sure.
> done
  record agent: Sure.
  * t2 completed
"#,
    );
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    check(
        ModelSize::Full,
        "
> steer what?
  refused 1 no turn
> interrupt
  refused 2 no turn
> tell hello
  refused 3 no conversation
> hang-up
  refused 4 no conversation
> start go
  accepted 5 t1
  * t1 is prepared
  prepare t1
> steer-wrong what?
  refused 6 t1 is running
> prepared
  log t1
  record developer: <environment>
  * t1 started, Typed
  record user: go
  call t1 #1 with 2 items
> steer-wrong what?
  refused 7 t1 is running
",
    );
}

#[test]
fn interrupted_before_it_begins() {
    check(
        ModelSize::Full,
        "
> start go
  accepted 1 t1
  * t1 is prepared
  prepare t1
> interrupt
  accepted 2 t1
> start another
  accepted 3 t2
> prepared
  log t1
  * t1 started, Typed
  record user: go
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
  * t2 is prepared
  prepare t2
",
    );
}

#[test]
fn words_during_a_stop_are_for_the_next_turn() {
    check(
        ModelSize::Full,
        r#"
> start go
  accepted 1 t1
  * t1 is prepared
  prepare t1
> prepared
  log t1
  record developer: <environment>
  * t1 started, Typed
  record user: go
  call t1 #1 with 2 items
> calls sleep
> done
  record call shell
  run t1 #2 shell {"command":"sleep"}
> interrupt
  accepted 2 t1
  stop t1 #2
> steer too late
  refused 3 no turn
> start something else
  accepted 4 t2
> failed killed
  record output: aborted by the user
killed
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
  * t2 is prepared
  prepare t2
> prepared
  log t2
  * t2 started, Typed
  record user: something else
  call t2 #1 with 6 items
> says Yes?
"#,
    );
}

/// Whichever comes first: the turn's next try, or the question whether the link still lives.
#[test]
fn a_waiting_turn_does_not_hide_the_conversations_deadline() {
    let mut script = Script::new(ModelSize::Full);
    for line in ["talk c", "up", "opened", "start go", "prepared", "overloaded 20000"] {
        script.feed(line);
    }
    assert_eq!(script.thread.deadline(), Some(Time::from_millis(15_000)));
    let shown = |outputs: Vec<thread::Output>| outputs.iter().filter_map(show).collect::<Vec<_>>();
    assert_eq!(shown(script.feed("tick 15000")), ["ping c"]);
    assert!(script.thread.deadline() > Some(Time::from_millis(20_000)));
}

#[test]
fn a_turn_that_cannot_be_prepared_fails() {
    check(
        ModelSize::Full,
        "
> start go
  accepted 1 t1
  * t1 is prepared
  prepare t1
> unprepared cannot open the workspace: /w is gone
  log t1
  * t1 started, Typed
  record user: go
  * t1 failed: cannot open the workspace: /w is gone
",
    );
}

#[test]
fn a_spoken_request_is_answered_once() {
    check(
        ModelSize::Full,
        r#"
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> heard run the tests
  * c1-1 in th: user: run the tests
  * stage Transcribed
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 3 items
> says I run them.
  * stage FirstToken
> calls cargo test
> done
  record agent: I run them.
  record call shell
  send c1 progress h1: I run them.
  run t1 #2 shell {"command":"cargo test"}
> finished 1 failed
  record output: 1 failed
  call t1 #3 with 6 items
> says One fails.
> done
  record agent: One fails.
  * t1 completed
  * stage AgentDone
  send c1 answer h1: One fails.
  send c1 respond
> spoke One of them fails.
  * c1-2 in th: voice: One of them fails.
> heard which one
  * c1-3 in th: user: which one
  * stage Transcribed
> handoff h2 which one
  * stage HandedOff
  * t2 is prepared
  prepare t2
> prepared
  log t2, in conversation
  * t2 started, Spoken
  record user: assistant: One of them fails.
user: which one
  call t2 #1 with 8 items
> says The first.
  * stage FirstToken
> done
  record agent: The first.
  * t2 completed
  * stage AgentDone
  send c1 answer h2: The first.
"#,
    );
}

const WORK: &str = "\
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 1 items
> calls cargo test
  * stage FirstToken
> done
  record call shell
  run t1 #2 shell {\"command\":\"cargo test\"}
> runs cargo test
";

/// The small agent says nothing on its way; our own voice has to know what it does.
#[test]
fn our_own_voice_is_told_of_each_step() {
    check(
        ModelSize::Small,
        &format!(
            "> talk-here c1\n  connect c1 0\n{WORK}  send c1 progress h1: Running `cargo test`.\n"
        ),
    );
}

/// A cloud service sees what its clients have always sent it.
#[test]
fn a_service_is_not_told_of_steps() {
    check(ModelSize::Small, &format!("> talk c1\n  connect c1 0\n{WORK}"));
}

/// What is typed is no work of the conversation.
#[test]
fn steps_of_typed_work_are_not_told() {
    check(
        ModelSize::Small,
        r#"
> talk-here c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> start run the tests
  accepted 1 t1
  send c1 mirror run the tests
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  * t1 started, Typed
  record user: run the tests
  call t1 #1 with 1 items
> calls cargo test
> done
  record call shell
  run t1 #2 shell {"command":"cargo test"}
> runs cargo test
"#,
    );
}

#[test]
fn a_second_handoff_steers_the_work_of_the_first() {
    check(
        ModelSize::Full,
        "
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> handoff h2 only the parser
  * stage HandedOff
  send c1 acknowledge h2: Passed on to the task that is already running. Its result will follow when it is done.
  send c1 respond
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  record user: only the parser
  call t1 #1 with 4 items
> handoff h3 and the lexer
  * stage HandedOff
  send c1 acknowledge h3: Passed on to the task that is already running. Its result will follow when it is done.
> says Both pass.
  * stage FirstToken
> done
  record agent: Both pass.
  record user: and the lexer
  call t1 #2 with 6 items
> says Both pass.
> done
  record agent: Both pass.
  * t1 completed
  * stage AgentDone
  send c1 answer h1: Both pass.
",
    );
}

#[test]
fn a_handoff_joins_a_typed_turn_and_gets_its_answer() {
    check(
        ModelSize::Full,
        "
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> start run the tests
  accepted 1 t1
  send c1 mirror run the tests
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Typed
  record user: run the tests
  call t1 #1 with 3 items
> handoff h1 be quick
  * stage HandedOff
> says Running.
  * stage FirstToken
> done
  record agent: Running.
  record user: be quick
  call t1 #2 with 5 items
> says All pass.
> done
  record agent: All pass.
  * t1 completed
  * stage AgentDone
  send c1 answer h1: All pass.
  send c1 respond
",
    );
}

#[test]
fn a_failing_turn_answers_its_handoff() {
    check(
        ModelSize::Full,
        "
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 3 items
> fails no credit
  * t1 failed: no credit
  * stage AgentDone
  send c1 answer h1: The task failed: no credit
  send c1 respond
> handoff h2 again
  * stage HandedOff
  * t2 is prepared
  prepare t2
> unprepared /w is gone
  log t2, in conversation
  * t2 started, Spoken
  record user: again
  * t2 failed: /w is gone
  * stage AgentDone
  send c1 answer h2: The task failed: /w is gone
",
    );
}

#[test]
fn stop_interrupts_and_the_work_is_answered_as_stopped() {
    check(
        ModelSize::Full,
        r#"
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 3 items
> calls cargo test
  * stage FirstToken
> done
  record call shell
  run t1 #2 shell {"command":"cargo test"}
> heard Stop!
  * c1-1 in t1: user: Stop!
  stop t1 #2
  * stage Transcribed
> handoff h2 Stop!
  * stage HandedOff
  send c1 acknowledge h2: The running task is being stopped.
> failed killed
  record output: aborted by the user
killed
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
  * stage AgentDone
  send c1 answer h1: The task was stopped before it was finished.
  send c1 respond
> handoff h3 stop
  * stage HandedOff
  * stage AgentDone
  send c1 answer h3: Stopped.
> handoff h4 stop the server
  * stage HandedOff
  * t2 is prepared
  prepare t2
"#,
    );
}

#[test]
fn stop_with_nothing_to_stop() {
    check(
        ModelSize::Full,
        "
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 cancel
  * stage HandedOff
  * stage AgentDone
  send c1 answer h1: Nothing is running.
  send c1 respond
> start go
  accepted 1 t1
  send c1 mirror go
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Typed
  record user: go
  call t1 #1 with 3 items
> handoff h2 stop it
  * stage HandedOff
  cancel t1 #1
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
  * stage AgentDone
  send c1 answer h2: The task was stopped before it was finished.
",
    );
}

#[test]
fn words_for_stopped_work_get_its_answer() {
    check(
        ModelSize::Full,
        r#"
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 3 items
> calls cargo test
  * stage FirstToken
> done
  record call shell
  run t1 #2 shell {"command":"cargo test"}
> interrupt
  accepted 1 t1
  stop t1 #2
> handoff h2 no, only the parser
  * stage HandedOff
  send c1 acknowledge h2: Passed on to the task that is already running. Its result will follow when it is done.
  send c1 respond
> failed killed
  record output: aborted by the user
killed
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
  * stage AgentDone
  * t2 is prepared
  prepare t2
> prepared
  log t2, in conversation
  * t2 started, Spoken
  record user: no, only the parser
  call t2 #1 with 7 items
> says Passes.
  * stage FirstToken
> done
  record agent: Passes.
  * t2 completed
  * stage AgentDone
  send c1 answer h1: Passes.
"#,
    );
}

#[test]
fn work_outlives_its_conversation() {
    check(
        ModelSize::Full,
        "
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 3 items
> down
  * playback Stopped
  disconnect c1
  * conversation closed, TransportClosed
> says All pass.
> done
  record agent: All pass.
  * t1 completed
",
    );
}

#[test]
fn a_new_conversation_replaces_the_old_one() {
    check(
        ModelSize::Full,
        "
> start go
  accepted 1 t1
  * t1 is prepared
  prepare t1
> prepared
  log t1
  record developer: <environment>
  * t1 started, Typed
  record user: go
  call t1 #1 with 2 items
> says Yes.
> done
  record agent: Yes.
  * t1 completed
> talk old
  connect old 0
> up
  send old session
  * conversation started
> opened
> start more
  accepted 2 t2
  send old mirror more
  * t2 is prepared
  prepare t2
> prepared
  log t2, in conversation
  record developer: <realtime_conversation>
  * t2 started, Typed
  record user: more
  call t2 #1 with 5 items
> says Yes.
> done
  record agent: Yes.
  * t2 completed
> talk c2
  * playback Stopped
  disconnect old
  * conversation closed, Requested
  connect c2 0
> stale-down
> up
  send c2 session
  * conversation started
> opened
> start again
  accepted 3 t3
  send c2 mirror again
  * t3 is prepared
  prepare t3
> prepared
  log t3, in conversation
  record developer: <realtime_conversation>
  record developer: <realtime_conversation>
  * t3 started, Typed
  record user: again
  call t3 #1 with 9 items
> says Yes.
> done
  record agent: Yes.
  * t3 completed
> hang-up
  accepted 4 -
  * playback Stopped
  disconnect c2
  * conversation closed, Requested
> start and typed
  accepted 5 t4
  * t4 is prepared
  prepare t4
> prepared
  log t4
  record developer: <realtime_conversation>
  * t4 started, Typed
  record user: and typed
  call t4 #1 with 12 items
",
    );
}

#[test]
fn close_stops_everything() {
    check(
        ModelSize::Full,
        r#"
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 3 items
> calls cargo test
  * stage FirstToken
> done
  record call shell
  run t1 #2 shell {"command":"cargo test"}
> close
  stop t1 #2
  * playback Stopped
  disconnect c1
  * conversation closed, Requested
> failed killed
  record output: aborted by the user
killed
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
"#,
    );
}

#[test]
fn close_records_what_waits() {
    check(
        ModelSize::Full,
        r#"
> start go
  accepted 1 t1
  * t1 is prepared
  prepare t1
> prepared
  log t1
  record developer: <environment>
  * t1 started, Typed
  record user: go
  call t1 #1 with 2 items
> calls sleep
> done
  record call shell
  run t1 #2 shell {"command":"sleep"}
> interrupt
  accepted 2 t1
  stop t1 #2
> start later
  accepted 3 t2
> close
> failed killed
  record output: aborted by the user
killed
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
  * t2 is prepared
  prepare t2
> prepared
  log t2
  * t2 started, Typed
  record user: later
  record developer: The user interrupted the work above before it was finished.
  * t2 interrupted
"#,
    );
}

#[test]
fn a_steering_stop_is_acknowledged_before_the_work_is_answered() {
    check(
        ModelSize::Full,
        "
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h1 run the tests
  * stage HandedOff
  * t1 is prepared
  prepare t1
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: run the tests
  call t1 #1 with 3 items
> handoff h2 stop
  * stage HandedOff
  send c1 acknowledge h2: The running task is being stopped.
  cancel t1 #1
  record developer: The user interrupted the work above before it was finished.
  * t1 interrupted
  * stage AgentDone
  send c1 answer h1: The task was stopped before it was finished.
  send c1 respond
",
    );
}

/// What is heard is no consent: it is told what would be.
#[test]
fn a_spoken_yes_approves_nothing() {
    check_untrusted(
        r#"
> talk c1
  connect c1 0
> up
  send c1 session
  * conversation started
> opened
> handoff h0 yes
  * stage HandedOff
  * t1 is prepared
  prepare t1
> says Hello.
> done
> handoff h1 run the tests
  * stage HandedOff
  send c1 acknowledge h1: Passed on to the task that is already running. Its result will follow when it is done.
  send c1 respond
> prepared
  log t1, in conversation
  record developer: <environment>
  record developer: <realtime_conversation>
  * t1 started, Spoken
  record user: yes
  record user: run the tests
  call t1 #1 with 4 items
> calls cargo test
  * stage FirstToken
> done
  record call shell
  record output: refused: shell would run a program, which needs the user's approval under the approval policy `untrusted`, and nobody can be asked here. Do without it, or tell the user to start with `-c approval_policy=on-request` or `never`.
  call t1 #2 with 6 items
> says They may not be run.
> done
  record agent: They may not be run.
  * t1 completed
  * stage AgentDone
  send c1 answer h0: They may not be run.
> handoff h2 Yes, go ahead.
  * stage HandedOff
  * stage AgentDone
  send c1 answer h2: Nothing is approved by voice. To allow what was refused, start with `-c approval_policy=on-request` or `never`.
> handoff h3 yes, and then list the files
  * stage HandedOff
  * t2 is prepared
  prepare t2
"#,
    );
}
