//! The user speaks while the agent works.

use super::*;

/// A request was handed off, and its result is not there.
const WORKING: &str = r#"
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  speech stopped item_1 at 864ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 864ms
> heard #2 "Run the tests."
  transcribed item_1 "Run the tests." of 0.864s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
> pcm #3 100
  item_2 sound +100ms
> ready #3
  item_2 sound done
  item_2 words done "Okay, one moment."
  item_2 part done audio "Okay, one moment."
  done item_2 Assistant "Okay, one moment." after item_1
  resp_1/0 done item_2 Assistant "Okay, one moment."
  resp_1/1 added item_3 call_1 background_agent() (in progress)
  added item_3 call_1 background_agent() (in progress) after item_2
  item_3 arguments +{"prompt":"Run the tests."}
  item_3 arguments done background_agent {"prompt":"Run the tests."}
  done item_3 call_1 background_agent({"prompt":"Run the tests."}) after item_2
  resp_1/1 done item_3 call_1 background_agent({"prompt":"Run the tests."})
  response resp_1 Completed [item_2 item_3]
  rate limits
"#;

#[track_caller]
fn check_meanwhile(transcript: &str) {
    check(&format!("{}\n{}", WORKING.trim(), transcript.trim()));
}

#[test]
fn who_asks_what_is_going_on_is_answered_at_once() {
    check_meanwhile(
        r#"
> progress "Running `cargo test`."
  added item_4 User "Update from background agent (task hasn't finished yet):\n\nRunning `cargo test`." after item_3
  done item_4 User "Update from background agent (task hasn't finished yet):\n\nRunning `cargo test`." after item_3
> silence 38400
> speech 640
  speech started item_5 at 38964ms
> silence 224
  start #4 end of turn? after 1164ms
> complete #4
  speech stopped item_5 at 40128ms
  committed item_5 after item_4
  added item_5 User "" after item_4
  done item_5 User "" after item_4
  start #5 transcribe 1164ms
> heard #5 "What are you doing?"
  transcribed item_5 "What are you doing?" of 1.164s
  start #6 route "What are you doing?"
> routed #6 status
  response resp_2 created
  resp_2/0 added item_6 Assistant "" (in progress)
  added item_6 Assistant "" (in progress) after item_5
  item_6 part audio ""
  item_6 words +"Running cargo test."
  start #7 speak "Running cargo test."
> pcm #7 100
  item_6 sound +100ms
> ready #7
  item_6 words +" It has been 40 seconds so far."
  start #8 speak "It has been 40 seconds so far."
> pcm #8 100
  item_6 sound +100ms
> ready #8
  item_6 sound done
  item_6 words done "Running cargo test. It has been 40 seconds so far."
  item_6 part done audio "Running cargo test. It has been 40 seconds so far."
  done item_6 Assistant "Running cargo test. It has been 40 seconds so far." after item_5
  resp_2/0 done item_6 Assistant "Running cargo test. It has been 40 seconds so far."
  response resp_2 Completed [item_6]
  rate limits
> result call_1 "All tests pass."
  added item_7 call_1 -> "All tests pass." after item_6
  done item_7 call_1 -> "All tests pass." after item_6
> respond
  response resp_3 created
  resp_3/0 added item_8 Assistant "" (in progress)
  added item_8 Assistant "" (in progress) after item_7
  item_8 part audio ""
  item_8 words +"All tests pass."
  start #9 speak "All tests pass."
"#,
    );
}

#[test]
fn without_news_the_answer_is_that_it_goes_on() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "Are you done?"
  transcribed item_4 "Are you done?" of 0.864s
  start #6 route "Are you done?"
> routed #6 status
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"I'm still working on it."
  start #7 speak "I'm still working on it."
> pcm #7 100
  item_5 sound +100ms
> ready #7
  item_5 sound done
  item_5 words done "I'm still working on it."
  item_5 part done audio "I'm still working on it."
  done item_5 Assistant "I'm still working on it." after item_4
  resp_2/0 done item_5 Assistant "I'm still working on it."
  response resp_2 Completed [item_5]
  rate limits
"#,
    );
}

/// The newest answer, also to a question like this one.
#[test]
fn who_did_not_hear_is_told_again() {
    check_meanwhile(
        r#"
> progress "Running `cargo test`."
  added item_4 User "Update from background agent (task hasn't finished yet):\n\nRunning `cargo test`." after item_3
  done item_4 User "Update from background agent (task hasn't finished yet):\n\nRunning `cargo test`." after item_3
> speech 640
  speech started item_5 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_5 at 1728ms
  committed item_5 after item_4
  added item_5 User "" after item_4
  done item_5 User "" after item_4
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_5 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> routed #6 status
  response resp_2 created
  resp_2/0 added item_6 Assistant "" (in progress)
  added item_6 Assistant "" (in progress) after item_5
  item_6 part audio ""
  item_6 words +"Running cargo test."
  start #7 speak "Running cargo test."
> pcm #7 100
  item_6 sound +100ms
> ready #7
  item_6 sound done
  item_6 words done "Running cargo test."
  item_6 part done audio "Running cargo test."
  done item_6 Assistant "Running cargo test." after item_5
  resp_2/0 done item_6 Assistant "Running cargo test."
  response resp_2 Completed [item_6]
  rate limits
> speech 640
  speech started item_7 at 1728ms
> silence 224
  start #8 end of turn? after 864ms
> complete #8
  speech stopped item_7 at 2592ms
  committed item_7 after item_6
  added item_7 User "" after item_6
  done item_7 User "" after item_6
  start #9 transcribe 864ms
> heard #9 "Pardon?"
  transcribed item_7 "Pardon?" of 0.864s
  start #10 route "Pardon?"
> routed #10 repeat
  response resp_3 created
  resp_3/0 added item_8 Assistant "" (in progress)
  added item_8 Assistant "" (in progress) after item_7
  item_8 part audio ""
  item_8 words +"Running cargo test."
  start #11 speak "Running cargo test."
> pcm #11 100
  item_8 sound +100ms
> ready #11
  item_8 sound done
  item_8 words done "Running cargo test."
  item_8 part done audio "Running cargo test."
  done item_8 Assistant "Running cargo test." after item_7
  resp_3/0 done item_8 Assistant "Running cargo test."
  response resp_3 Completed [item_8]
  rate limits
"#,
    );
}

/// Nothing else was said yet.
#[test]
fn an_acknowledgement_is_repeated_if_it_is_all() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "Pardon?"
  transcribed item_4 "Pardon?" of 0.864s
  start #6 route "Pardon?"
> routed #6 repeat
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"Okay, one moment."
  start #7 speak "Okay, one moment."
"#,
    );
}

/// The client played nothing of the acknowledgement.
#[test]
fn what_was_never_heard_cannot_be_repeated() {
    check_meanwhile(
        r#"
> truncate item_2 0
  truncated item_2 at 0ms
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "Pardon?"
  transcribed item_4 "Pardon?" of 0.864s
  start #6 route "Pardon?"
> routed #6 repeat
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"Sure, I'm on it."
  start #7 speak "Sure, I'm on it."
"#,
    );
}

#[test]
fn everything_else_steers_the_work() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "Only in the parser."
  transcribed item_4 "Only in the parser." of 0.864s
  start #6 route "Only in the parser."
> routed #6 work
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"Sure, I'm on it."
  start #7 speak "Sure, I'm on it."
> pcm #7 100
  item_5 sound +100ms
> ready #7
  item_5 sound done
  item_5 words done "Sure, I'm on it."
  item_5 part done audio "Sure, I'm on it."
  done item_5 Assistant "Sure, I'm on it." after item_4
  resp_2/0 done item_5 Assistant "Sure, I'm on it."
  resp_2/1 added item_6 call_2 background_agent() (in progress)
  added item_6 call_2 background_agent() (in progress) after item_5
  item_6 arguments +{"prompt":"Only in the parser."}
  item_6 arguments done background_agent {"prompt":"Only in the parser."}
  done item_6 call_2 background_agent({"prompt":"Only in the parser."}) after item_5
  resp_2/1 done item_6 call_2 background_agent({"prompt":"Only in the parser."})
  response resp_2 Completed [item_5 item_6]
  rate limits
> result call_2 "Passed on."
  added item_7 call_2 -> "Passed on." after item_6
  done item_7 call_2 -> "Passed on." after item_6
> speech 640
  speech started item_8 at 1728ms
> silence 224
  start #8 end of turn? after 864ms
> complete #8
  speech stopped item_8 at 2592ms
  committed item_8 after item_7
  added item_8 User "" after item_7
  done item_8 User "" after item_7
  start #9 transcribe 864ms
> heard #9 "And now?"
  transcribed item_8 "And now?" of 0.864s
  start #10 route "And now?"
> routed #10 status
  response resp_3 created
  resp_3/0 added item_9 Assistant "" (in progress)
  added item_9 Assistant "" (in progress) after item_8
  item_9 part audio ""
  item_9 words +"I'm still working on it."
  start #11 speak "I'm still working on it."
"#,
    );
}

#[test]
fn what_nobody_can_route_is_handed_off() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_4 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> failed #6 "no model"
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"Sure, I'm on it."
  start #7 speak "Sure, I'm on it."
"#,
    );
}

/// The user paused in the middle.
#[test]
fn two_utterances_are_routed_as_one() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "What are you"
  transcribed item_4 "What are you" of 0.864s
  start #6 route "What are you"
> speech 640
  speech started item_5 at 1728ms
> silence 224
  start #7 end of turn? after 864ms
> complete #7
  speech stopped item_5 at 2592ms
  committed item_5 after item_4
  added item_5 User "" after item_4
  done item_5 User "" after item_4
  start #8 transcribe 864ms
> heard #8 "doing?"
  transcribed item_5 "doing?" of 0.864s
  cancel #6
  start #9 route "What are you doing?"
> routed #6 work
> routed #9 status
  response resp_2 created
  resp_2/0 added item_6 Assistant "" (in progress)
  added item_6 Assistant "" (in progress) after item_5
  item_6 part audio ""
  item_6 words +"I'm still working on it."
  start #10 speak "I'm still working on it."
"#,
    );
}

#[test]
fn a_cough_changes_no_route() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_4 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> speech 640
  speech started item_5 at 1728ms
> routed #6 status
> silence 224
  start #7 end of turn? after 864ms
> complete #7
  speech stopped item_5 at 2592ms
  committed item_5 after item_4
  added item_5 User "" after item_4
  done item_5 User "" after item_4
  start #8 transcribe 864ms
> heard #8 "(coughs)"
  transcribed item_5 "" of 0.864s
  response resp_2 created
  resp_2/0 added item_6 Assistant "" (in progress)
  added item_6 Assistant "" (in progress) after item_5
  item_6 part audio ""
  item_6 words +"I'm still working on it."
  start #9 speak "I'm still working on it."
"#,
    );
}

/// Nobody works any more who could be asked about.
#[test]
fn work_that_ended_meanwhile_makes_it_a_request() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_4 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> result call_1 "All tests pass."
  added item_5 call_1 -> "All tests pass." after item_4
  done item_5 call_1 -> "All tests pass." after item_4
> respond
  response resp_2 created
  resp_2/0 added item_6 Assistant "" (in progress)
  added item_6 Assistant "" (in progress) after item_5
  item_6 part audio ""
  item_6 words +"All tests pass."
  start #7 speak "All tests pass."
> routed #6 status
> pcm #7 100
  item_6 sound +100ms
> ready #7
  item_6 sound done
  item_6 words done "All tests pass."
  item_6 part done audio "All tests pass."
  done item_6 Assistant "All tests pass." after item_5
  resp_2/0 done item_6 Assistant "All tests pass."
  response resp_2 Completed [item_6]
  rate limits
  response resp_3 created
  resp_3/0 added item_7 Assistant "" (in progress)
  added item_7 Assistant "" (in progress) after item_6
  item_7 part audio ""
  item_7 words +"Sure, I'm on it."
  start #8 speak "Sure, I'm on it."
"#,
    );
}

#[test]
fn an_answer_that_sounded_is_over_when_the_user_speaks() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_4 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> routed #6 status
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"I'm still working on it."
  start #7 speak "I'm still working on it."
> pcm #7 100
  item_5 sound +100ms
> speech 640
  speech started item_6 at 1728ms
  cancel #7
  item_5 sound done
  item_5 words done "I'm still working on it."
  item_5 part done audio "I'm still working on it."
  done item_5 Assistant "I'm still working on it." (incomplete) after item_4
  resp_2/0 done item_5 Assistant "I'm still working on it." (incomplete)
  response resp_2 Cancelled(TurnDetected) [item_5]
  rate limits
> silence 224
  start #8 end of turn? after 864ms
> complete #8
  speech stopped item_6 at 2592ms
  committed item_6 after item_5
  added item_6 User "" after item_5
  done item_6 User "" after item_5
  start #9 transcribe 864ms
> heard #9 "Only in the parser."
  transcribed item_6 "Only in the parser." of 0.864s
  start #10 route "Only in the parser."
> routed #10 work
  response resp_3 created
  resp_3/0 added item_7 Assistant "" (in progress)
  added item_7 Assistant "" (in progress) after item_6
  item_7 part audio ""
  item_7 words +"Sure, I'm on it."
  start #11 speak "Sure, I'm on it."
"#,
    );
}

#[test]
fn who_speaks_on_before_the_answer_sounds_has_not_finished() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_4 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> routed #6 status
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"I'm still working on it."
  start #7 speak "I'm still working on it."
> speech 640
  speech started item_6 at 1728ms
  cancel #7
  item_5 sound done
  item_5 words done "I'm still working on it."
  item_5 part done audio "I'm still working on it."
  done item_5 Assistant "I'm still working on it." (incomplete) after item_4
  resp_2/0 done item_5 Assistant "I'm still working on it." (incomplete)
  response resp_2 Cancelled(TurnDetected) [item_5]
  rate limits
> silence 224
  start #8 end of turn? after 864ms
> complete #8
  speech stopped item_6 at 2592ms
  committed item_6 after item_5
  added item_6 User "" after item_5
  done item_6 User "" after item_5
  start #9 transcribe 864ms
> heard #9 "In the parser, I mean."
  transcribed item_6 "In the parser, I mean." of 0.864s
  start #10 route "What are you doing? In the parser, I mean."
"#,
    );
}

#[test]
fn a_question_that_is_taken_back_is_not_answered() {
    check_meanwhile(
        r#"
> speech 640
  speech started item_4 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_4 at 1728ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_4 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> delete item_4
  deleted item_4
  cancel #6
> routed #6 status
"#,
    );
}

#[test]
fn a_written_answer_comes_at_once() {
    check_meanwhile(
        r#"
> settings text
  configured
> progress "Running `cargo test`."
  added item_4 User "Update from background agent (task hasn't finished yet):\n\nRunning `cargo test`." after item_3
  done item_4 User "Update from background agent (task hasn't finished yet):\n\nRunning `cargo test`." after item_3
> speech 640
  speech started item_5 at 864ms
> silence 224
  start #4 end of turn? after 864ms
> complete #4
  speech stopped item_5 at 1728ms
  committed item_5 after item_4
  added item_5 User "" after item_4
  done item_5 User "" after item_4
  start #5 transcribe 864ms
> heard #5 "What are you doing?"
  transcribed item_5 "What are you doing?" of 0.864s
  start #6 route "What are you doing?"
> routed #6 status
  response resp_2 created
  resp_2/0 added item_6 Assistant "" (in progress)
  added item_6 Assistant "" (in progress) after item_5
  item_6 part text ""
  item_6 text +"Running cargo test."
  item_6 text done "Running cargo test."
  item_6 part done text "Running cargo test."
  done item_6 Assistant "Running cargo test." after item_5
  resp_2/0 done item_6 Assistant "Running cargo test."
  response resp_2 Completed [item_6]
  rate limits
"#,
    );
}

/// No model is asked whether that is meant, and nothing is said that has to be listened to.
#[test]
fn a_stop_is_passed_on_at_once() {
    check_meanwhile(
        r#"
> silence 960
> speech 320
  speech started item_4 at 1524ms
> silence 224
  start #4 end of turn? after 844ms
> complete #4
  speech stopped item_4 at 2368ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 844ms
> heard #5 "Okay, stop."
  transcribed item_4 "Okay, stop." of 0.844s
  response resp_2 created
  resp_2/0 added item_5 call_2 background_agent() (in progress)
  added item_5 call_2 background_agent() (in progress) after item_4
  item_5 arguments +{"prompt":"Okay, stop."}
  item_5 arguments done background_agent {"prompt":"Okay, stop."}
  done item_5 call_2 background_agent({"prompt":"Okay, stop."}) after item_4
  resp_2/0 done item_5 call_2 background_agent({"prompt":"Okay, stop."})
  response resp_2 Completed [item_5]
  rate limits
"#,
    );
}

/// The acknowledgement was said when the request was passed on.
#[test]
fn what_was_passed_on_is_not_acknowledged_twice() {
    check_meanwhile(
        r#"
> result call_1 "Passed on to the task that is already running. Its result will follow when it is done."
  added item_4 call_1 -> "Passed on to the task that is already running. Its result will follow when it is done." after item_3
  done item_4 call_1 -> "Passed on to the task that is already running. Its result will follow when it is done." after item_3
> respond
  response resp_2 created
  response resp_2 Completed []
  rate limits
"#,
    );
}
