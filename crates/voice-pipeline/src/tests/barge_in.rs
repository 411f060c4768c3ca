//! The user speaks while we do.

use super::*;

#[test]
fn speech_cuts_the_voice_off() {
    check(
        r#"
> result call_1 "One test fails. It is the first one. Look at it."
  added item_1 call_1 -> "One test fails. It is the first one. Look at it." first
  done item_1 call_1 -> "One test fails. It is the first one. Look at it." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 500
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +100ms
> ready #1
  item_2 words +" It is the first one."
  start #2 speak "It is the first one."
> pcm #2 100
  item_2 sound +100ms
> speech 96
  speech started item_3 at 0ms
  cancel #2
  item_2 sound done
  item_2 words done "One test fails. It is the first one."
  item_2 part done audio "One test fails. It is the first one."
  done item_2 Assistant "One test fails. It is the first one." (incomplete) after item_1
  resp_1/0 done item_2 Assistant "One test fails. It is the first one." (incomplete)
  response resp_1 Cancelled(TurnDetected) [item_2]
  rate limits
> pcm #2 100
> ready #2
> truncate item_2 550
  truncated item_2 at 550ms
> retrieve item_2
  retrieved item_2 Assistant "One test fails. It is" (incomplete) with 550ms
> silence 192
> speech 320
> silence 224
  start #3 end of turn? after 832ms
> complete #3
  speech stopped item_3 at 832ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #4 transcribe 832ms
> heard #4 "Which one?"
  transcribed item_3 "Which one?" of 0.832s
  response resp_2 created
  resp_2/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"Okay, one moment."
  start #5 speak "Okay, one moment."
"#,
    );
}

/// What the user said meanwhile is answered afterwards.
#[test]
fn a_polite_session_is_not_interrupted() {
    check(
        r#"
polite
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 500
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +100ms
> speech 320
  speech started item_3 at 0ms
> silence 224
  start #2 end of turn? after 544ms
> complete #2
  speech stopped item_3 at 544ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #3 transcribe 544ms
> heard #3 "Which one?"
  transcribed item_3 "Which one?" of 0.544s
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
  response resp_2 created
  resp_2/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"Okay, one moment."
  start #4 speak "Okay, one moment."
"#,
    );
}

/// The user goes on while the acknowledgement sounds: nothing was handed off yet.
#[test]
fn a_request_that_was_cut_off_is_not_lost() {
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
> heard #2 "Run the tests"
  transcribed item_1 "Run the tests" of 0.864s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
> pcm #3 100
  item_2 sound +100ms
> speech 320
  speech started item_3 at 864ms
  cancel #3
  item_2 sound done
  item_2 words done "Okay, one moment."
  item_2 part done audio "Okay, one moment."
  done item_2 Assistant "Okay, one moment." (incomplete) after item_1
  resp_1/0 done item_2 Assistant "Okay, one moment." (incomplete)
  response resp_1 Cancelled(TurnDetected) [item_2]
  rate limits
> silence 224
  start #4 end of turn? after 544ms
> complete #4
  speech stopped item_3 at 1408ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #5 transcribe 544ms
> heard #5 "and the linter."
  transcribed item_3 "and the linter." of 0.544s
  response resp_2 created
  resp_2/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"Sure, I'm on it."
  start #6 speak "Sure, I'm on it."
> ready #6
  item_4 sound done
  item_4 words done "Sure, I'm on it."
  item_4 part done audio "Sure, I'm on it."
  done item_4 Assistant "Sure, I'm on it." after item_3
  resp_2/0 done item_4 Assistant "Sure, I'm on it."
  resp_2/1 added item_5 call_2 background_agent() (in progress)
  added item_5 call_2 background_agent() (in progress) after item_4
  item_5 arguments +{"prompt":"Run the tests and the linter."}
  item_5 arguments done background_agent {"prompt":"Run the tests and the linter."}
  done item_5 call_2 background_agent({"prompt":"Run the tests and the linter."}) after item_4
  resp_2/1 done item_5 call_2 background_agent({"prompt":"Run the tests and the linter."})
  response resp_2 Completed [item_4 item_5]
  rate limits
"#,
    );
}

/// The same for one that the client wrote, and asked a response for.
#[test]
fn a_written_request_that_was_cut_off_is_not_lost() {
    check(
        r#"
> user u1 "Run the tests"
  added u1 User "Run the tests" first
  done u1 User "Run the tests" first
> respond
  response resp_1 created
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part audio ""
  item_1 words +"Okay, one moment."
  start #1 speak "Okay, one moment."
> speech 320
  speech started item_2 at 0ms
  cancel #1
  item_1 sound done
  item_1 words done "Okay, one moment."
  item_1 part done audio "Okay, one moment."
  done item_1 Assistant "Okay, one moment." (incomplete) after u1
  resp_1/0 done item_1 Assistant "Okay, one moment." (incomplete)
  response resp_1 Cancelled(TurnDetected) [item_1]
  rate limits
> silence 224
  start #2 end of turn? after 544ms
> complete #2
  speech stopped item_2 at 544ms
  committed item_2 after item_1
  added item_2 User "" after item_1
  done item_2 User "" after item_1
  start #3 transcribe 544ms
> heard #3 "and the linter."
  transcribed item_2 "and the linter." of 0.544s
  response resp_2 created
  resp_2/0 added item_3 Assistant "" (in progress)
  added item_3 Assistant "" (in progress) after item_2
  item_3 part audio ""
  item_3 words +"Sure, I'm on it."
  start #4 speak "Sure, I'm on it."
> ready #4
  item_3 sound done
  item_3 words done "Sure, I'm on it."
  item_3 part done audio "Sure, I'm on it."
  done item_3 Assistant "Sure, I'm on it." after item_2
  resp_2/0 done item_3 Assistant "Sure, I'm on it."
  resp_2/1 added item_4 call_2 background_agent() (in progress)
  added item_4 call_2 background_agent() (in progress) after item_3
  item_4 arguments +{"prompt":"Run the tests and the linter."}
  item_4 arguments done background_agent {"prompt":"Run the tests and the linter."}
  done item_4 call_2 background_agent({"prompt":"Run the tests and the linter."}) after item_3
  resp_2/1 done item_4 call_2 background_agent({"prompt":"Run the tests and the linter."})
  response resp_2 Completed [item_3 item_4]
  rate limits
"#,
    );
}

/// Where the client asks for each response, it is not answered before it asks again.
#[test]
fn a_request_that_was_cut_off_waits_for_the_client_to_ask() {
    check(
        r#"
mute
> user u1 "Run the tests"
  added u1 User "Run the tests" first
  done u1 User "Run the tests" first
> respond
  response resp_1 created
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part audio ""
  item_1 words +"Okay, one moment."
  start #1 speak "Okay, one moment."
> speech 96
  speech started item_2 at 0ms
  cancel #1
  item_1 sound done
  item_1 words done "Okay, one moment."
  item_1 part done audio "Okay, one moment."
  done item_1 Assistant "Okay, one moment." (incomplete) after u1
  resp_1/0 done item_1 Assistant "Okay, one moment." (incomplete)
  response resp_1 Cancelled(TurnDetected) [item_1]
  rate limits
> clear
  cleared
> respond
  response resp_2 created
  resp_2/0 added item_3 Assistant "" (in progress)
  added item_3 Assistant "" (in progress) after item_1
  item_3 part audio ""
  item_3 words +"Sure, I'm on it."
  start #2 speak "Sure, I'm on it."
"#,
    );
}

#[test]
fn a_cough_cuts_the_voice_but_asks_nothing() {
    check(
        r#"
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> speech 160
  speech started item_3 at 0ms
  cancel #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." (incomplete) after item_1
  resp_1/0 done item_2 Assistant "One test fails." (incomplete)
  response resp_1 Cancelled(TurnDetected) [item_2]
  rate limits
> silence 224
  start #2 end of turn? after 384ms
> complete #2
  speech stopped item_3 at 384ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #3 transcribe 384ms
> heard #3 "[coughs]"
  transcribed item_3 "" of 0.384s
"#,
    );
}

#[test]
fn cancel_by_the_client() {
    check(
        r#"
> cancel
  refuse e1: NothingToCancel
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 100
  item_2 sound +100ms
> cancel resp_9
  refuse e1: NothingToCancel
> cancel resp_1
  cancel #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." (incomplete) after item_1
  resp_1/0 done item_2 Assistant "One test fails." (incomplete)
  response resp_1 Cancelled(ClientCancelled) [item_2]
  rate limits
> pcm #1 100
> cancel
  refuse e1: NothingToCancel
> respond
  response resp_2 created
  start #2 reply to [Assistant: One test fails.]
> cancel
  cancel #2
  response resp_2 Cancelled(ClientCancelled) []
  rate limits
"#,
    );
}

/// It may come while the item grows; then what is kept is cut at the end.
#[test]
fn truncate_is_checked() {
    check(
        r#"
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 300
  item_2 sound +200ms
  item_2 sound +100ms
> truncate item_2 301
  refuse e1: TruncateTooLong { item: item_2, audio_ms: 300 }
> truncate item_2 100
  truncated item_2 at 100ms
> pcm #1 300
  item_2 sound +200ms
  item_2 sound +100ms
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
> retrieve item_2
  retrieved item_2 Assistant "" with 100ms
> truncate item_2 0
  truncated item_2 at 0ms
> retrieve item_2
  retrieved item_2 Assistant "" with 0ms
> truncate item_2 601
  refuse e1: TruncateTooLong { item: item_2, audio_ms: 0 }
> truncate item_1 0
  refuse e1: TruncateSilent { item: item_1 }
> truncate nothing 0
  refuse e1: TruncateUnknown { item: nothing }
> user u1 "hello"
  added u1 User "hello" after item_2
  done u1 User "hello" after item_2
> truncate u1 0
  refuse e1: TruncateSilent { item: u1 }
"#,
    );
}

#[test]
fn one_response_at_a_time() {
    check(
        r#"
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> respond
  refuse e1: ResponseActive { running: resp_1 }
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
> respond to nothing
  refuse e1: UnknownReference { item: nothing }
"#,
    );
}

/// A result that comes while the user speaks is told when they are done, before their next request.
#[test]
fn nobody_is_talked_over() {
    check(
        r#"
> speech 640
  speech started item_1 at 0ms
> result call_1 "One test fails."
  added item_2 call_1 -> "One test fails." first
  done item_2 call_1 -> "One test fails." first
> respond
  response resp_1 created
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  speech stopped item_1 at 864ms
  committed item_1 after item_2
  added item_1 User "" after item_2
  done item_1 User "" after item_2
  start #2 transcribe 864ms
  resp_1/0 added item_3 Assistant "" (in progress)
  added item_3 Assistant "" (in progress) after item_1
  item_3 part audio ""
  item_3 words +"One test fails."
  start #3 speak "One test fails."
> heard #2 "What is it called?"
  transcribed item_1 "What is it called?" of 0.864s
> ready #3
  item_3 sound done
  item_3 words done "One test fails."
  item_3 part done audio "One test fails."
  done item_3 Assistant "One test fails." after item_1
  resp_1/0 done item_3 Assistant "One test fails."
  response resp_1 Completed [item_3]
  rate limits
  response resp_2 created
  resp_2/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"Okay, one moment."
  start #4 speak "Okay, one moment."
"#,
    );
}

/// The utterance is newer than the result, but it is answered by itself.
#[test]
fn a_result_does_not_swallow_a_request() {
    check(
        r#"
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> speech 640
  speech started item_2 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> complete #1
  speech stopped item_2 at 864ms
  committed item_2 after item_1
  added item_2 User "" after item_1
  done item_2 User "" after item_1
  start #2 transcribe 864ms
> respond
  response resp_1 created
  resp_1/0 added item_3 Assistant "" (in progress)
  added item_3 Assistant "" (in progress) after item_2
  item_3 part audio ""
  item_3 words +"One test fails."
  start #3 speak "One test fails."
> heard #2 "What is it called?"
  transcribed item_2 "What is it called?" of 0.864s
> ready #3
  item_3 sound done
  item_3 words done "One test fails."
  item_3 part done audio "One test fails."
  done item_3 Assistant "One test fails." after item_2
  resp_1/0 done item_3 Assistant "One test fails."
  response resp_1 Completed [item_3]
  rate limits
  response resp_2 created
  resp_2/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"Okay, one moment."
  start #4 speak "Okay, one moment."
"#,
    );
}

/// Whoever plays the reply holds it meanwhile, and goes on with it.
#[test]
fn a_sign_of_listening_is_not_answered() {
    check(
        r#"
polite
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 2000
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
> silence 480
> speech 320
  speech started item_3 at 180ms
> silence 224
  start #2 end of turn? after 844ms
> complete #2
  speech stopped item_3 at 1024ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #3 transcribe 844ms
> heard #3 "Uh-huh."
  transcribed item_3 "Uh-huh." of 0.844s
> speech 320
  speech started item_4 at 1024ms
> silence 224
  start #4 end of turn? after 544ms
> complete #4
  speech stopped item_4 at 1568ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 544ms
> unsure #5 "MM homes."
  transcribed item_4 "" of 0.544s
> silence 2700
> speech 320
  speech started item_5 at 3956ms
> silence 224
  start #6 end of turn? after 844ms
> complete #6
  speech stopped item_5 at 4800ms
  committed item_5 after item_4
  added item_5 User "" after item_4
  done item_5 User "" after item_4
  start #7 transcribe 844ms
> heard #7 "Okay."
  transcribed item_5 "Okay." of 0.844s
  response resp_2 created
  resp_2/0 added item_6 Assistant "" (in progress)
  added item_6 Assistant "" (in progress) after item_5
  item_6 part audio ""
  item_6 words +"Okay, one moment."
  start #8 speak "Okay, one moment."
"#,
    );
}

/// A recogniser is as unsure of a word that is hummed, but nobody hums "stop".
#[test]
fn a_stop_is_heard_over_a_reply_however_unsure() {
    check(
        r#"
polite
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 2000
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
> silence 480
> speech 320
  speech started item_3 at 180ms
> silence 224
  start #2 end of turn? after 844ms
> complete #2
  speech stopped item_3 at 1024ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #3 transcribe 844ms
> unsure #3 "Stop it."
  transcribed item_3 "Stop it." of 0.844s
  response resp_2 created
  resp_2/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"Okay, one moment."
  start #4 speak "Okay, one moment."
"#,
    );
}

/// What is played was held for as long as the first of them took, and sounds that much later.
#[test]
fn a_reply_that_was_held_sounds_later() {
    check(
        r#"
polite
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 2000
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
> silence 480
> speech 320
  speech started item_3 at 180ms
> silence 224
  start #2 end of turn? after 844ms
> complete #2
  speech stopped item_3 at 1024ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #3 transcribe 844ms
> heard #3 "Uh-huh."
  transcribed item_3 "Uh-huh." of 0.844s
> silence 1600
> speech 320
  speech started item_4 at 2324ms
> silence 224
  start #4 end of turn? after 844ms
> complete #4
  speech stopped item_4 at 3168ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #5 transcribe 844ms
> heard #5 "Okay."
  transcribed item_4 "Okay." of 0.844s
"#,
    );
}

/// Whoever plays the reply waits to know whether it goes on.
#[test]
fn what_is_said_over_a_reply_ends_as_soon_as_it_sounds_complete() {
    check(
        r#"
polite silence=608
> result call_1 "One test fails."
  added item_1 call_1 -> "One test fails." first
  done item_1 call_1 -> "One test fails." first
> respond
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"One test fails."
  start #1 speak "One test fails."
> pcm #1 2000
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
> silence 480
> speech 320
  speech started item_3 at 180ms
> silence 224
  start #2 end of turn? after 844ms
> complete #2
  speech stopped item_3 at 1024ms
  committed item_3 after item_2
  added item_3 User "" after item_2
  done item_3 User "" after item_2
  start #3 transcribe 844ms
> heard #3 "Which one?"
  transcribed item_3 "Which one?" of 0.844s
  response resp_2 created
  resp_2/0 added item_4 Assistant "" (in progress)
  added item_4 Assistant "" (in progress) after item_3
  item_4 part audio ""
  item_4 words +"Okay, one moment."
  start #4 speak "Okay, one moment."
"#,
    );
}
