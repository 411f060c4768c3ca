//! A spoken request from its first sound to its spoken result.

use super::*;

#[test]
fn a_spoken_request_is_handed_off_and_its_result_is_spoken() {
    check(
        r#"
> silence 640
> speech 960
  speech started item_1 at 340ms
> silence 192
> silence 32
  start #1 end of turn? after 1484ms
> complete #1
  speech stopped item_1 at 1824ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 1484ms
> heard #2 " Run the tests."
  transcribed item_1 "Run the tests." of 1.484s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
> pcm #3 450
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +50ms
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
> result call_1 ""Agent Final Message": One test fails: `adds_two`."
  added item_4 call_1 -> "\"Agent Final Message\": One test fails: `adds_two`." after item_3
  done item_4 call_1 -> "\"Agent Final Message\": One test fails: `adds_two`." after item_3
> respond
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"One test fails: adds two."
  start #4 speak "One test fails: adds two."
> pcm #4 100
  item_5 sound +100ms
> ready #4
  item_5 sound done
  item_5 words done "One test fails: adds two."
  item_5 part done audio "One test fails: adds two."
  done item_5 Assistant "One test fails: adds two." after item_4
  resp_2/0 done item_5 Assistant "One test fails: adds two."
  response resp_2 Completed [item_5]
  rate limits
"#,
    );
}

#[test]
fn a_manual_client_commits_and_asks() {
    check(
        r#"
manual
> sound 99
> commit
  refuse e1: CommitEmpty { ms: 99 }
> sound 1901
> commit
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #1 transcribe 2000ms
> respond
  response resp_1 created
> heard #1 "List the files."
  transcribed item_1 "List the files." of 2s
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #2 speak "Okay, one moment."
> ready #2
  item_2 sound done
  item_2 words done "Okay, one moment."
  item_2 part done audio "Okay, one moment."
  done item_2 Assistant "Okay, one moment." after item_1
  resp_1/0 done item_2 Assistant "Okay, one moment."
  resp_1/1 added item_3 call_1 background_agent() (in progress)
  added item_3 call_1 background_agent() (in progress) after item_2
  item_3 arguments +{"prompt":"List the files."}
  item_3 arguments done background_agent {"prompt":"List the files."}
  done item_3 call_1 background_agent({"prompt":"List the files."}) after item_2
  resp_1/1 done item_3 call_1 background_agent({"prompt":"List the files."})
  response resp_1 Completed [item_2 item_3]
  rate limits
> commit
  refuse e1: CommitEmpty { ms: 0 }
"#,
    );
}

#[test]
fn a_manual_client_that_said_nothing_gets_an_empty_response() {
    check(
        r#"
manual
> sound 500
> commit
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #1 transcribe 500ms
> respond
  response resp_1 created
> heard #1 ""
  transcribed item_1 "" of 0.5s
  response resp_1 Completed []
  rate limits
"#,
    );
}

#[test]
fn a_commit_closes_speech_that_was_announced() {
    check(
        r#"
> speech 640
  speech started item_1 at 0ms
> commit
  speech stopped item_1 at 640ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #1 transcribe 640ms
> silence 640
> heard #1 "hello"
  transcribed item_1 "hello" of 0.64s
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #2 speak "Okay, one moment."
"#,
    );
}

#[test]
fn clear_forgets_what_was_said() {
    check(
        r#"
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> clear
  cancel #1
  cleared
> complete #1
> silence 1600
> commit
  committed item_2 first
  added item_2 User "" first
  done item_2 User "" first
  start #2 transcribe 1600ms
"#,
    );
}

/// The user went on before the first half was written down: the agent gets both.
#[test]
fn two_requests_in_a_row_are_one() {
    check(
        r#"
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
> speech 640
  speech started item_2 at 864ms
> heard #2 "Run the tests"
  transcribed item_1 "Run the tests" of 0.864s
> silence 224
  start #3 end of turn? after 864ms
> complete #3
  speech stopped item_2 at 1728ms
  committed item_2 after item_1
  added item_2 User "" after item_1
  done item_2 User "" after item_1
  start #4 transcribe 864ms
> heard #4 "in the parser."
  transcribed item_2 "in the parser." of 0.864s
  response resp_1 created
  resp_1/0 added item_3 Assistant "" (in progress)
  added item_3 Assistant "" (in progress) after item_2
  item_3 part audio ""
  item_3 words +"Okay, one moment."
  start #5 speak "Okay, one moment."
"#,
    );
}

#[test]
fn the_second_half_waits_for_the_first() {
    check(
        r#"
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
> speech 640
  speech started item_2 at 864ms
> silence 224
  start #3 end of turn? after 864ms
> complete #3
  speech stopped item_2 at 1728ms
  committed item_2 after item_1
  added item_2 User "" after item_1
  done item_2 User "" after item_1
  start #4 transcribe 864ms
> heard #4 "in the parser."
  transcribed item_2 "in the parser." of 0.864s
> heard #2 "Run the tests"
  transcribed item_1 "Run the tests" of 0.864s
  response resp_1 created
  resp_1/0 added item_3 Assistant "" (in progress)
  added item_3 Assistant "" (in progress) after item_2
  item_3 part audio ""
  item_3 words +"Okay, one moment."
  start #5 speak "Okay, one moment."
"#,
    );
}

#[test]
fn a_session_that_only_listens() {
    check(
        r#"
mute
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
> heard #2 "hello"
  transcribed item_1 "hello" of 0.864s
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
"#,
    );
}

#[test]
fn a_transcription_session_never_answers() {
    check(
        r#"
transcription
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
> heard #2 "hello"
  transcribed item_1 "hello" of 0.864s
> respond
  refuse e1: NeverResponds
"#,
    );
}

#[test]
fn transcripts_are_told_only_to_who_asked() {
    check(
        r#"
untold
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
> heard #2 "hello"
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
"#,
    );
}

#[test]
fn what_cannot_be_written_down() {
    check(
        r#"
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
> failed #2 "the speech model is missing: run `duet models fetch`"
  not transcribed item_1: the speech model is missing: run `duet models fetch`
> settings untold
  configured
> speech 640
  speech started item_2 at 864ms
> silence 224
  start #3 end of turn? after 864ms
> complete #3
  speech stopped item_2 at 1728ms
  committed item_2 after item_1
  added item_2 User "" after item_1
  done item_2 User "" after item_1
  start #4 transcribe 864ms
> failed #4 "the speech model is missing: run `duet models fetch`"
  error: Fault { message: "the speech model is missing: run `duet models fetch`" }
> settings manual
  configured
> sound 500
> commit
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #5 transcribe 500ms
> respond
  response resp_1 created
> failed #5 "no model"
  not transcribed item_3: no model
  response resp_1 Failed { message: "no model" } []
  rate limits
"#,
    );
}

#[test]
fn an_acknowledgement_without_sound_does_not_stop_the_request() {
    check(
        r#"
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
> heard #2 "hello"
  transcribed item_1 "hello" of 0.864s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
> failed #3 "no voice"
  item_2 sound done
  item_2 words done "Okay, one moment."
  item_2 part done audio "Okay, one moment."
  done item_2 Assistant "Okay, one moment." after item_1
  resp_1/0 done item_2 Assistant "Okay, one moment."
  resp_1/1 added item_3 call_1 background_agent() (in progress)
  added item_3 call_1 background_agent() (in progress) after item_2
  item_3 arguments +{"prompt":"hello"}
  item_3 arguments done background_agent {"prompt":"hello"}
  done item_3 call_1 background_agent({"prompt":"hello"}) after item_2
  resp_1/1 done item_3 call_1 background_agent({"prompt":"hello"})
  response resp_1 Completed [item_2 item_3]
  rate limits
"#,
    );
}

#[test]
fn a_result_without_sound_fails() {
    check(
        r#"
> result call_1 "All is well. Really."
  added item_1 call_1 -> "All is well. Really." first
  done item_1 call_1 -> "All is well. Really." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"All is well."
  start #1 speak "All is well."
> pcm #1 100
  item_2 sound +100ms
> failed #1 "no voice"
  item_2 sound done
  item_2 words done "All is well."
  item_2 part done audio "All is well."
  done item_2 Assistant "All is well." (incomplete) after item_1
  resp_1/0 done item_2 Assistant "All is well." (incomplete)
  response resp_1 Failed { message: "no voice" } [item_2]
  rate limits
> respond
  response resp_2 created
  start #2 reply to [Assistant: All is well.]
"#,
    );
}

#[test]
fn written_requests_are_handed_off_too() {
    check(
        r#"
text
> user u1 "Fix the \bug"
  added u1 User "Fix the \\bug" first
  done u1 User "Fix the \\bug" first
> respond
  response resp_1 created
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part text ""
  item_1 text +"Okay, one moment."
  item_1 text done "Okay, one moment."
  item_1 part done text "Okay, one moment."
  done item_1 Assistant "Okay, one moment." after u1
  resp_1/0 done item_1 Assistant "Okay, one moment."
  resp_1/1 added item_2 call_1 background_agent() (in progress)
  added item_2 call_1 background_agent() (in progress) after item_1
  item_2 arguments +{"prompt":"Fix the \\bug"}
  item_2 arguments done background_agent {"prompt":"Fix the \\bug"}
  done item_2 call_1 background_agent({"prompt":"Fix the \\bug"}) after item_1
  resp_1/1 done item_2 call_1 background_agent({"prompt":"Fix the \\bug"})
  response resp_1 Completed [item_1 item_2]
  rate limits
> respond
  response resp_2 created
  start #1 reply to [User: Fix the \bug | Assistant: Okay, one moment. | Call: background_agent]
"#,
    );
}

#[test]
fn news_of_running_work_is_not_a_request() {
    check(
        r#"
> user u1 "[BACKEND] Reading the files."
  added u1 User "[BACKEND] Reading the files." first
  done u1 User "[BACKEND] Reading the files." first
> user u2 "Still at it\n\nUpdate from background agent (task hasn't finished yet):"
  added u2 User "Still at it\\n\\nUpdate from background agent (task hasn't finished yet):" after u1
  done u2 User "Still at it\\n\\nUpdate from background agent (task hasn't finished yet):" after u1
> user u3 "Update from background agent (task hasn't finished yet):\n\nHalf"
  added u3 User "Update from background agent (task hasn't finished yet):\\n\\nHalf" after u2
  done u3 User "Update from background agent (task hasn't finished yet):\\n\\nHalf" after u2
> respond
  response resp_1 created
  start #1 reply to [User: [BACKEND] Reading the files. | User: Still at it\n\nUpdate from background agent (task hasn't finished yet): | User: Update from background agent (task hasn't finished yet):\n\nHalf]
"#,
    );
}

#[test]
fn several_results_are_told_at_once() {
    check(
        r#"
> result call_1 "This was passed on."
  added item_1 call_1 -> "This was passed on." first
  done item_1 call_1 -> "This was passed on." first
> result call_2 ""
  added item_2 call_2 -> "" after item_1
  done item_2 call_2 -> "" after item_1
> result call_3 "Three tests. All pass."
  added item_3 call_3 -> "Three tests. All pass." after item_2
  done item_3 call_3 -> "Three tests. All pass." after item_2
> respond
  response resp_1 created
  resp_1/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"This was passed on."
  start #1 speak "This was passed on."
> pcm #1 50
  item_4 sound +50ms
> ready #1
  item_4 words +" Three tests."
  start #2 speak "Three tests."
> ready #2
  item_4 words +" All pass."
  start #3 speak "All pass."
> ready #3
  item_4 sound done
  item_4 words done "This was passed on. Three tests. All pass."
  item_4 part done audio "This was passed on. Three tests. All pass."
  done item_4 Assistant "This was passed on. Three tests. All pass." after item_3
  resp_1/0 done item_4 Assistant "This was passed on. Three tests. All pass."
  response resp_1 Completed [item_4]
  rate limits
"#,
    );
}

#[test]
fn an_empty_result_is_still_said() {
    check(
        r#"
> result call_1 ""
  added item_1 call_1 -> "" first
  done item_1 call_1 -> "" first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"That's done."
  start #1 speak "That's done."
"#,
    );
}

/// Who speaks on after as long as a comma is still in the same sentence; meanwhile it was written
/// down, and that again.
#[test]
fn a_pause_inside_a_sentence_ends_no_turn() {
    check(
        r#"
silence=608
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  start #2 transcribe 864ms
> silence 320
> speech 640
  cancel #2
> silence 224
  start #3 end of turn? after 2048ms
> complete #3
  start #4 transcribe 2048ms
> heard #4 "Add a test to the parser."
> silence 352
> silence 32
  speech stopped item_1 at 2124ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  transcribed item_1 "Add a test to the parser." of 2.124s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #5 speak "Okay, one moment."
"#,
    );
}

/// It sounds complete, and its last word leads to another: it is waited for like what sounds
/// unfinished, once.
#[test]
fn words_that_lead_on_are_waited_for() {
    check(
        r#"
silence=608
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  start #2 transcribe 864ms
> heard #2 "Add a test to the."
> silence 1152
> speech 640
> silence 224
  start #3 end of turn? after 2880ms
> complete #3
  start #4 transcribe 2880ms
> heard #4 "Add a test to the parser."
> silence 352
> silence 32
  speech stopped item_1 at 2956ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  transcribed item_1 "Add a test to the parser." of 2.956s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #5 speak "Okay, one moment."
"#,
    );
}

/// Nothing comes after them.
#[test]
fn words_that_lead_on_end_some_time() {
    check(
        r#"
silence=608
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  start #2 transcribe 864ms
> heard #2 "Rename the"
> silence 1568
> silence 32
  speech stopped item_1 at 940ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  transcribed item_1 "Rename the" of 0.94s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
"#,
    );
}

/// The words are on their way when the turn ends.
#[test]
fn words_may_come_after_the_turn_that_they_were_drafted_for() {
    check(
        r#"
silence=608
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  start #2 transcribe 864ms
> silence 384
  speech stopped item_1 at 940ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
> heard #2 "Run the tests."
  transcribed item_1 "Run the tests." of 0.94s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
"#,
    );
}

#[test]
fn a_draft_that_fails_is_written_again() {
    check(
        r#"
silence=608
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  start #2 transcribe 864ms
> failed #2 "no ear"
> silence 384
  speech stopped item_1 at 940ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #3 transcribe 940ms
> heard #3 "Run the tests."
  transcribed item_1 "Run the tests." of 0.94s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #4 speak "Okay, one moment."
"#,
    );
}

/// Detection is switched off and on in a pause: what was drafted is of speech that nobody follows.
#[test]
fn a_draft_is_not_taken_for_other_speech() {
    check(
        r#"
silence=608
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  start #2 transcribe 864ms
> heard #2 "Run the tests."
> settings manual
  configured
> settings silence=608
  configured
> speech 640
  speech started item_1 at 564ms
> silence 224
  start #3 end of turn? after 1164ms
> unfinished #3
> silence 1632
  start #4 end of turn? after 1548ms
> unfinished #4
  start #5 end of turn? after 2060ms
> unfinished #5
  start #6 end of turn? after 2572ms
> unfinished #6
  speech stopped item_1 at 1804ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #7 transcribe 1240ms
> heard #7 "Open the file."
  transcribed item_1 "Open the file." of 1.24s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #8 speak "Okay, one moment."
"#,
    );
}
