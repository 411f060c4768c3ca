//! What a conversation does, told as conversations.

use crate::script::{check, check_live, check_weighed};

#[test]
fn the_session_is_configured_before_anything_is_said() {
    check(
        r#"
> start
  connect 0
> text "early"
> up
  send session "be brief"
  started conv V2
> text "less early"
> greeted
> opened
  send text "early"
  send text "less early"
> text "now"
  send text "now"
"#,
    );
}

#[test]
fn a_service_that_never_confirms_is_open_when_it_works() {
    check(
        r#"
> start
  connect 0
> up
  send session "be brief"
  started conv V2
> text "hello"
> item i1 "{}"
  send text "hello"
  item {}
"#,
    );
}

#[test]
fn a_session_that_cannot_be_made_has_one_error_and_no_close() {
    check(
        r#"
> start
  connect 0
> no link "401: the key is wrong"
  disconnect
  error "401: the key is wrong"
  ended
> down
> stop
> tick
"#,
    );
    check(
        r#"
> start
  connect 0
> @19999 tick
> @deadline tick
  disconnect
  error "the realtime service did not open a session within 20 seconds; check its address and the network"
  ended
> up
"#,
    );
}

#[test]
fn a_service_that_refuses_the_settings_is_not_used_without_them() {
    check(
        r#"
> start
  connect 0
> up
  send session "be brief"
  started conv V2
> refused "no such voice"
  stop playback
  disconnect
  error "no such voice"
  closed Error
  ended
"#,
    );
}

#[test]
fn a_session_that_never_opens_is_closed() {
    check(
        r#"
> start
  connect 0
> @5000 up
  send session "be brief"
  started conv V2
> @20000 tick
  stop playback
  disconnect
  error "the realtime service did not open a session within 20 seconds; check its address and the network"
  closed Error
  ended
"#,
    );
}

#[test]
fn a_stop_closes_once_whenever_it_comes() {
    check("> stop\n  closed Requested\n  ended\n> stop");
    check("> start\n  connect 0\n> stop\n  disconnect\n  closed Requested\n  ended\n> down");
    check_live(
        "> stop\n  stop playback\n  disconnect\n  closed Requested\n  ended\n> down\n> stop",
    );
}

#[test]
fn the_end_of_the_link_is_told_by_its_cause() {
    check_live(
        r#"
> stale down
> down
  stop playback
  disconnect
  closed TransportClosed
  ended
"#,
    );
    check_live(
        r#"
> down "connection reset"
  stop playback
  disconnect
  error "connection reset"
  closed Error
  ended
> fatal "too late"
"#,
    );
}

#[test]
fn only_a_fatal_fault_ends_the_conversation() {
    check_live(
        r#"
> refused "no such item"
  warning "no such item"
> refused "no such item"
> nothing to cancel
> busy
> fatal "the session expired"
  stop playback
  disconnect
  error "the session expired"
  closed Error
  ended
"#,
    );
}

#[test]
fn a_quiet_link_is_asked_and_a_dead_one_is_left() {
    check_live(
        r#"
> @15000 tick
  ping
> @15001 tick
> @20000 alive
> @34999 tick
> @35000 tick
  ping
> @deadline tick
  stop playback
  disconnect
  error "the connection to the realtime service is dead: it answers nothing any more; start the conversation again"
  closed Error
  ended
"#,
    );
}

#[test]
fn the_clock_may_jump_without_killing_the_link() {
    check_live(
        r#"
> @900000 tick
  ping
> @900001 alive
"#,
    );
}

#[test]
fn a_handoff_is_delegated_and_answered_once() {
    check_live(
        r#"
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
> quiet u1
  stage SpeechStopped
> reply r1
> said u1 " Run the tests."
  delta user " Run the tests."
  whole user "Run the tests."
  spoken user u1 "Run the tests."
  stage Transcribed
> handoff h1 "Run the tests."
  handoff h1 item_h1 "Run the tests." after 1 lines
  stage HandedOff
  delegate start h1 "Run the tests."
> handoff h1 "Run the tests."
> done r1
  stage ReplyDone
> progress h1 "I am running them."
  send progress h1 "I am running them."
> answer h2 "of somebody else"
> answer h1 "One fails."
  send final h1 "One fails."
  send create
> progress h1 "late"
> answer h1 "again"
"#,
    );
}

#[test]
fn every_end_of_the_work_is_an_answer() {
    for (end, words) in [
        ("nothing", "The task ended without anything to report."),
        ("interrupted", "The task was stopped before it was finished."),
        (r#"failed "no model""#, "The task failed: no model"),
        (r#"" ""#, "The task ended without anything to report."),
    ] {
        check_live(&format!(
            r#"
> handoff h1 "go"
  handoff h1 item_h1 "go" after 0 lines
  stage HandedOff
  delegate start h1 "go"
> answer h1 {end}
  send final h1 {words:?}
  send create
"#
        ));
    }
}

#[test]
fn a_second_handoff_steers_and_is_answered_at_once() {
    check_live(
        r#"
> handoff h1 "run the tests"
  handoff h1 item_h1 "run the tests" after 0 lines
  stage HandedOff
  delegate start h1 "run the tests"
> reply r1
> handoff h2 "only the fast ones"
  handoff h2 item_h2 "only the fast ones" after 0 lines
  stage HandedOff
  delegate steer h2 "only the fast ones"
  send acknowledge h2 "Passed on to the task that is already running. Its result will follow when it is done."
> answer h2 "not yours"
> done r1
  stage ReplyDone
  send create
> answer h1 "done"
  send final h1 "done"
> reply r2
> done r2
  stage ReplyDone
  send create
"#,
    );
}

#[test]
fn a_handoff_without_a_request_is_answered_and_starts_nothing() {
    check_live(
        r#"
> handoff h1 " "
  handoff h1 item_h1 " " after 0 lines
  stage HandedOff
  stage AgentDone
  send final h1 "Nothing to do was understood. Ask the user to say again what they would like."
  send create
"#,
    );
}

#[test]
fn the_words_since_the_last_handoff_go_along_once() {
    check_live(
        r#"
> said u1 "Hello."
  delta user "Hello."
  whole user "Hello."
  spoken user u1 "Hello."
  stage Transcribed
> spoke a1 "Hi. What shall I do?"
  delta model "Hi. What shall I do?"
  whole model "Hi. What shall I do?"
  spoken model a1 "Hi. What shall I do?"
> said u2 "Run the tests."
  delta user "Run the tests."
  whole user "Run the tests."
  spoken user u2 "Run the tests."
  stage Transcribed
> handoff h1 "run all tests"
  handoff h1 item_h1 "run all tests" after 3 lines
  stage HandedOff
  delegate start h1 "user: Hello.\nassistant: Hi. What shall I do?\nuser: Run the tests.\nuser: run all tests"
> said u3 "And then the linter."
  delta user "And then the linter."
  whole user "And then the linter."
  spoken user u3 "And then the linter."
  stage Transcribed
> handoff h2 ""
  handoff h2 item_h2 "" after 1 lines
  stage HandedOff
  delegate steer h2 "And then the linter."
  send acknowledge h2 "Passed on to the task that is already running. Its result will follow when it is done."
  send create
"#,
    );
}

/// The recogniser is often later than the model.
#[test]
fn words_that_come_after_their_handoff_do_not_go_along_with_the_next() {
    check_live(
        r#"
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
> quiet u1
  stage SpeechStopped
> handoff h1 "run the tests"
  handoff h1 item_h1 "run the tests" after 0 lines
  stage HandedOff
  delegate start h1 "run the tests"
> said u1 "Run the tests."
  delta user "Run the tests."
  whole user "Run the tests."
  spoken user u1 "Run the tests."
  stage Transcribed
> handoff h2 "stop at the first"
  handoff h2 item_h2 "stop at the first" after 0 lines
  stage HandedOff
  delegate steer h2 "stop at the first"
  send acknowledge h2 "Passed on to the task that is already running. Its result will follow when it is done."
> @2000 tick
  send create
"#,
    );
}

#[test]
fn late_words_stand_where_they_were_spoken() {
    check_live(
        r#"
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
> spoke a1 "Shall I?"
  delta model "Shall I?"
  whole model "Shall I?"
  spoken model a1 "Shall I?"
> said u1 "It is broken."
  delta user "It is broken."
  whole user "It is broken."
  spoken user u1 "It is broken."
  stage Transcribed
> handoff h1 "fix it"
  handoff h1 item_h1 "fix it" after 2 lines
  stage HandedOff
  delegate start h1 "user: It is broken.\nassistant: Shall I?\nuser: fix it"
"#,
    );
}

#[test]
fn words_reach_the_clients_once_however_the_service_tells_them() {
    check_live(
        r#"
> words u1 "Run"
  delta user "Run"
> words u1 " the"
  delta user " the"
> said u1 "Run the tests."
  delta user " tests."
  whole user "Run the tests."
  spoken user u1 "Run the tests."
  stage Transcribed
> said u1 "Run the tests."
> words u1 "Run"
> words u9 "Yes."
  delta user "Yes."
> said u9 "Yes."
  whole user "Yes."
  spoken user u9 "Yes."
  stage Transcribed
> words u2 "Wrecked"
  delta user "Wrecked"
> said u2 "Recognised"
  whole user "Recognised"
  spoken user u2 "Recognised"
  stage Transcribed
> said u3 " "
  stage Transcribed
> words u4 "half"
  delta user "half"
> unclear u4 "noise"
  whole user "half"
  spoken user u4 "half"
  warning "the service could not write down what was said: noise"
  stage Transcribed
"#,
    );
}

#[test]
fn without_ids_the_other_side_ends_an_utterance() {
    check_live(
        r#"
> words - "one"
  delta user "one"
> words - " two"
  delta user " two"
> speaks - "three"
  whole user "one two"
  spoken user - "one two"
  delta model "three"
> stop
  whole model "three"
  spoken model - "three"
  stop playback
  disconnect
  closed Requested
  ended
"#,
    );
}

#[test]
fn barge_in_truncates_at_what_was_heard() {
    check_live(
        r#"
> reply r1
> speaks a1 "A long story."
  delta model "A long story."
> audio a1 5000
  stage FirstAudio
  play a1 5000ms
> played a1 240
> speech u1
  stop playback
  send truncate a1 240ms
  whole model "A long story."
  spoken model a1 "A long story."
  speech u1
  stage SpeechStarted
> audio a1 1000
> audio a2 1000
> speaks a2 "never heard"
> spoke a2 "never heard"
> cancelled r1
  cancelled r1
> reply r2
> audio a3 20
  stage FirstAudio
  play a3 20ms
"#,
    );
}

#[test]
fn a_host_that_reports_nothing_is_taken_to_play_in_time() {
    check_live(
        r#"
> reply r1
> @1000 audio a1 600
  stage FirstAudio
  play a1 600ms
> @1000 audio a2 3000
  play a2 3000ms
> done r1
  stage ReplyDone
> @2000 speech u1
  stop playback
  send truncate a2 400ms
  speech u1
  stage SpeechStarted
"#,
    );
}

#[test]
fn what_was_heard_to_the_end_is_not_cut() {
    check_live(
        r#"
> reply r1
> audio a1 600
  stage FirstAudio
  play a1 600ms
> done r1
  stage ReplyDone
> played a1 600
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
"#,
    );
}

#[test]
fn several_items_that_wait_are_all_cut() {
    check_live(
        r#"
> reply r1
> audio a1 600
  stage FirstAudio
  play a1 600ms
> done r1
  stage ReplyDone
> reply r2
> audio a2 600
  stage FirstAudio
  play a2 600ms
> played a1 100
> played a2 0
> speech u1
  stop playback
  send truncate a1 100ms
  send truncate a2 0ms
  speech u1
  stage SpeechStarted
"#,
    );
}

#[test]
fn sound_without_an_item_can_only_be_stopped() {
    check_live(
        r#"
> audio - 600
  stage FirstAudio
  play - 600ms
> speech -
  stop playback
  speech -
  stage SpeechStarted
"#,
    );
}

#[test]
fn a_response_is_not_asked_for_over_the_users_words() {
    check_live(
        r#"
> handoff h1 "go"
  handoff h1 item_h1 "go" after 0 lines
  stage HandedOff
  delegate start h1 "go"
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
> answer h1 "done"
  send final h1 "done"
> @4000 quiet u1
  stage SpeechStopped
> @4500 reply r1
> @6000 done r1
  stage ReplyDone
  send create
"#,
    );
    check_live(
        r#"
> handoff h1 "go"
  handoff h1 item_h1 "go" after 0 lines
  stage HandedOff
  delegate start h1 "go"
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
> quiet u1
  stage SpeechStopped
> answer h1 "done"
  send final h1 "done"
> @deadline tick
  send create
"#,
    );
}

#[test]
fn a_request_that_crossed_another_response_is_made_again() {
    check_live(
        r#"
> handoff h1 "go"
  handoff h1 item_h1 "go" after 0 lines
  stage HandedOff
  delegate start h1 "go"
> answer h1 "done"
  send final h1 "done"
  send create
> reply r1
> busy
> done r1
  stage ReplyDone
  send create
> reply r2
> done r2
  stage ReplyDone
"#,
    );
}

/// Some services neither begin a response nor say why not.
#[test]
fn an_unanswered_request_blocks_the_next_for_a_while_only() {
    check_live(
        r#"
> handoff h1 "go"
  handoff h1 item_h1 "go" after 0 lines
  stage HandedOff
  delegate start h1 "go"
> answer h1 "done"
  send final h1 "done"
  send create
> handoff h2 "more"
  handoff h2 item_h2 "more" after 0 lines
  stage HandedOff
  delegate start h2 "more"
> answer h2 "done too"
  send final h2 "done too"
> @deadline tick
  send create
"#,
    );
}

#[test]
fn a_reply_whose_end_is_never_told_does_not_silence_the_answer() {
    check_live(
        r#"
> reply r1
> handoff h1 "go"
  handoff h1 item_h1 "go" after 0 lines
  stage HandedOff
  delegate start h1 "go"
> answer h1 "done"
  send final h1 "done"
> @119000 alive
> @119999 tick
> @deadline tick
  send create
> busy
> @130000 tick
  send create
"#,
    );
}

#[test]
fn a_reply_that_fails_or_is_cut_short_is_told() {
    check_live(
        r#"
> reply r1
> failed r1 "quota"
  warning "the realtime service failed to reply: quota"
  stage ReplyBroken
> reply r2
> incomplete r2 "max_output_tokens"
  warning "the realtime service cut its reply short: max_output_tokens"
  stage ReplyBroken
> reply r3
> audio a1 100
  stage FirstAudio
  play a1 100ms
> incomplete r3 "content_filter"
  warning "the realtime service cut its reply short: content_filter"
  stage ReplyDone
"#,
    );
}

#[test]
fn what_is_long_is_cut_in_the_middle() {
    let long = "word ".repeat(2_000);
    let mut session = crate::script::session(protocol::BargeIn::ByService);
    let mut sent = Vec::new();
    let link = |news| realtime_session::Input::Link { epoch: Default::default(), news };
    let opened = protocol::RealtimeEvent::SessionUpdated { session: None };
    for input in [
        realtime_session::Input::Start,
        link(realtime_session::LinkNews::Up),
        link(realtime_session::LinkNews::Event(opened)),
        realtime_session::Input::MirrorText { text: long.clone() },
        realtime_session::Input::AppendText { text: long.clone() },
    ] {
        for output in session.handle(input, stdx::Time::ZERO) {
            if let realtime_session::Output::Send(
                protocol::RealtimeCommand::Text { text }
                | protocol::RealtimeCommand::Mirror { text },
            ) = output
            {
                sent.push(text);
            }
        }
    }
    let [mirrored, whole] = &sent[..] else { panic!("{sent:?}") };
    assert!(mirrored.contains("tokens truncated") && mirrored.len() <= 1_200);
    assert_eq!(*whole, long);
}

#[test]
fn a_reply_that_is_still_growing_is_cut_even_if_all_of_it_was_heard() {
    check_live(
        r#"
> reply r1
> audio a1 600
  stage FirstAudio
  play a1 600ms
> played a1 600
> speech u1
  stop playback
  send truncate a1 600ms
  speech u1
  stage SpeechStarted
"#,
    );
}

#[test]
fn the_end_of_a_reply_ends_its_words_and_its_silence() {
    check_live(
        r#"
> reply r1
> speaks a1 "One"
  delta model "One"
> speaks a1 " two"
  delta model " two"
> done r1
  whole model "One two"
  spoken model a1 "One two"
  stage ReplyDone
> spoke a1 "One two"
> reply r2
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
> cancelled r2
  cancelled r2
> audio a3 20
  stage FirstAudio
  play a3 20ms
"#,
    );
}

#[test]
fn a_held_reply_goes_on_after_an_uh_huh() {
    check_weighed(
        r#"
> reply r1
> audio a1 2000
  stage FirstAudio
  play a1 2000ms
> done r1
  stage ReplyDone
> @500 speech u1
  hold playback
  speech u1
  stage SpeechStarted
> @900 quiet u1
  stage SpeechStopped
> @1500 said u1 "Uh-huh."
  resume playback
  delta user "Uh-huh."
  whole user "Uh-huh."
  spoken user u1 "Uh-huh."
  stage Transcribed
> @1700 speech u2
  hold playback
  speech u2
  stage SpeechStarted
> @2000 quiet u2
  stage SpeechStopped
> @2300 said u2 "Which file?"
  stop playback
  send truncate a1 700ms
  delta user "Which file?"
  whole user "Which file?"
  spoken user u2 "Which file?"
  stage Transcribed
"#,
    );
}

/// Who goes on speaking wants the floor, and is not waited for any longer.
#[test]
fn a_held_reply_is_stopped_while_the_user_still_speaks() {
    check_weighed(
        r#"
> reply r1
> audio a1 2000
  stage FirstAudio
  play a1 2000ms
> @500 speech u1
  hold playback
  speech u1
  stage SpeechStarted
> @600 audio a1 100
  play a1 100ms
> @1999 tick
> @deadline tick
  send cancel
  stop playback
  send truncate a1 500ms
> @2010 audio a1 100
> @2020 cancelled r1
  cancelled r1
> @2500 quiet u1
  stage SpeechStopped
> @3000 said u1 "Okay"
  delta user "Okay"
  whole user "Okay"
  spoken user u1 "Okay"
  stage Transcribed
"#,
    );
}

#[test]
fn a_cough_is_no_words_and_a_reply_goes_on_behind_it() {
    check_weighed(
        r#"
> reply r1
> audio a1 1000
  stage FirstAudio
  play a1 1000ms
> @500 speech u1
  hold playback
  speech u1
  stage SpeechStarted
> @700 quiet u1
  stage SpeechStopped
> @800 audio a2 1000
  play a2 1000ms
> @1000 said u1 ""
  resume playback
  stage Transcribed
> @1600 speech u2
  hold playback
  speech u2
  stage SpeechStarted
> @1800 unclear u2 "no ear"
  send cancel
  stop playback
  send truncate a2 100ms
  warning "the service could not write down what was said: no ear"
  stage Transcribed
"#,
    );
}

/// What was said before the reply began is not about it, however late its words come.
#[test]
fn only_words_over_the_reply_stop_it() {
    check_weighed(
        r#"
> speech u1
  stop playback
  speech u1
  stage SpeechStarted
> quiet u1
  stage SpeechStopped
> reply r1
> audio a1 1000
  stage FirstAudio
  play a1 1000ms
> @500 speech u2
  hold playback
  speech u2
  stage SpeechStarted
> @600 said u1 "Run the tests."
  delta user "Run the tests."
  whole user "Run the tests."
  spoken user u1 "Run the tests."
  stage Transcribed
> @700 quiet u2
  stage SpeechStopped
> @800 speech u3
  speech u3
  stage SpeechStarted
> @900 said u2 "Hm."
  delta user "Hm."
  whole user "Hm."
  spoken user u2 "Hm."
  stage Transcribed
> @1000 quiet u3
  stage SpeechStopped
> @1100 said u3 "Mm-hmm."
  resume playback
  delta user "Mm-hmm."
  whole user "Mm-hmm."
  spoken user u3 "Mm-hmm."
  stage Transcribed
"#,
    );
}

/// Words that never come hold nothing for ever.
#[test]
fn a_reply_is_not_held_for_words_that_never_come() {
    check_weighed(
        r#"
> reply r1
> audio a1 1000
  stage FirstAudio
  play a1 1000ms
> done r1
  stage ReplyDone
> @500 speech u1
  hold playback
  speech u1
  stage SpeechStarted
> @700 quiet u1
  stage SpeechStopped
> @deadline tick
  stop playback
  send truncate a1 500ms
"#,
    );
}

#[test]
fn who_speaks_in_silence_holds_nothing() {
    check_weighed(
        r#"
> reply r1
> audio a1 1000
  stage FirstAudio
  play a1 1000ms
> done r1
  stage ReplyDone
> @1701 speech u1
  stop playback
  speech u1
  stage SpeechStarted
"#,
    );
}

/// The end of the work is told; that it is coming need not be.
#[test]
fn a_stop_is_not_talked_about() {
    check_live(
        r#"
> handoff h1 "run the tests"
  handoff h1 item_h1 "run the tests" after 0 lines
  stage HandedOff
  delegate start h1 "run the tests"
> handoff h2 "Stop."
  handoff h2 item_h2 "Stop." after 0 lines
  stage HandedOff
  delegate steer h2 "Stop."
  send acknowledge h2 "The running task is being stopped."
> answer h1 interrupted
  send final h1 "The task was stopped before it was finished."
  send create
"#,
    );
}

/// What is said last decides; the words of the first hum may come when both are over.
#[test]
fn the_last_words_over_a_reply_let_it_go_on() {
    check_weighed(
        r#"
> reply r1
> audio a1 2000
  stage FirstAudio
  play a1 2000ms
> done r1
  stage ReplyDone
> @500 speech u1
  hold playback
  speech u1
  stage SpeechStarted
> @600 quiet u1
  stage SpeechStopped
> @700 speech u2
  speech u2
  stage SpeechStarted
> @800 quiet u2
  stage SpeechStopped
> @900 said u1 "Hm."
  delta user "Hm."
  whole user "Hm."
  spoken user u1 "Hm."
  stage Transcribed
> @1000 said u2 "Which file?"
  stop playback
  send truncate a1 500ms
  delta user "Which file?"
  whole user "Which file?"
  spoken user u2 "Which file?"
  stage Transcribed
"#,
    );
}
