//! Where utterances begin and end.

use super::*;

#[test]
fn a_click_is_no_speech() {
    check(
        r#"
> silence 320
> speech 64
> silence 320
> speech 64
> silence 1600
"#,
    );
}

#[test]
fn what_sounds_unfinished_is_waited_for() {
    check(
        r#"
> speech 960
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 1184ms
> unfinished #1
> silence 256
> silence 32
  start #2 end of turn? after 1472ms
> unfinished #2
> silence 480
> silence 32
  start #3 end of turn? after 1984ms
> unfinished #3
> silence 448
> silence 32
  speech stopped item_1 at 1260ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #4 transcribe 1260ms
"#,
    );
}

#[test]
fn a_pause_is_not_the_end() {
    check(
        r#"
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> unfinished #1
> speech 640
> silence 224
  start #2 end of turn? after 1728ms
> complete #2
  speech stopped item_1 at 1728ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #3 transcribe 1728ms
"#,
    );
}

#[test]
fn what_hovers_around_the_threshold_goes_on() {
    check(
        r#"
> speech 320
  speech started item_1 at 0ms
> murmur 1600
> silence 192
> silence 32
  start #1 end of turn? after 2144ms
> complete #1
  speech stopped item_1 at 2144ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 2144ms
"#,
    );
}

#[test]
fn without_the_model_silence_decides() {
    check(
        r#"
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> failed #1 "the model is missing"
> silence 256
> silence 32
  speech stopped item_1 at 940ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 940ms
"#,
    );
}

/// The clock stands still while the model is asked, so the verdicts behind it wait.
#[test]
fn a_patient_session_waits_longer() {
    check(
        r#"
patient=8000
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> unfinished #1
> silence 3200
  start #2 end of turn? after 1664ms
> unfinished #2
  start #3 end of turn? after 2176ms
> silence 3200
> unfinished #3
  start #4 end of turn? after 2688ms
> silence 3200
"#,
    );
}

#[test]
fn a_hasty_session_is_quick() {
    check(
        r#"
silence=100
> speech 640
  speech started item_1 at 0ms
> silence 96
> silence 32
  start #1 end of turn? after 768ms
> unfinished #1
> silence 160
> silence 32
  speech stopped item_1 at 940ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 940ms
"#,
    );
}

/// The second half is there before the model has judged the pause: the turn ends where it would end live.
#[test]
fn a_recording_may_be_faster_than_the_model() {
    check(
        r#"
> speech 640
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 864ms
> speech 640
> silence 224
> sound 1000
> unfinished #1
  start #2 end of turn? after 1728ms
> complete #2
  speech stopped item_1 at 1728ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #3 transcribe 1728ms
"#,
    );
}

#[test]
fn sound_before_speech_belongs_to_it_only_once() {
    check(
        r#"
> speech 320
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 544ms
> complete #1
  speech stopped item_1 at 544ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 544ms
> speech 320
  speech started item_2 at 544ms
> silence 224
  start #3 end of turn? after 544ms
> complete #3
  speech stopped item_2 at 1088ms
  committed item_2 after item_1
  added item_2 User "" after item_1
  done item_2 User "" after item_1
  start #4 transcribe 544ms
"#,
    );
}

#[test]
fn speech_without_any_pause_ends_some_time() {
    check(
        r#"
> speech 119968
  speech started item_1 at 0ms
> speech 32
  speech stopped item_1 at 120000ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #1 transcribe 14100ms
> speech 96
  speech started item_2 at 120000ms
"#,
    );
}

#[test]
fn long_speech_is_written_down_in_pieces() {
    check(
        r#"
> speech 60000
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 8000ms
> complete #1
  speech stopped item_1 at 60224ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 14100ms
> heard #2 "one two"
  start #3 transcribe 14100ms
> heard #3 "[noise]"
  start #4 transcribe 14100ms
> heard #4 "three four."
  start #5 transcribe 17924ms
"#,
    );
}

#[test]
fn noise_is_not_answered() {
    check(
        r#"
> speech 320
  speech started item_1 at 0ms
> silence 224
  start #1 end of turn? after 544ms
> complete #1
  speech stopped item_1 at 544ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 544ms
> heard #2 " (wind blowing) "
  transcribed item_1 "" of 0.544s
> speech 320
  speech started item_2 at 544ms
> silence 224
  start #3 end of turn? after 544ms
> complete #3
  speech stopped item_2 at 1088ms
  committed item_2 after item_1
  added item_2 User "" after item_1
  done item_2 User "" after item_1
  start #4 transcribe 544ms
> guessed #4 "Thank you."
  transcribed item_2 "" of 0.544s
"#,
    );
}

#[test]
fn without_ears_only_who_commits_by_itself_can_go_on() {
    let mut pipeline = Pipeline::new(settings(""), "");
    assert_eq!(pipeline.lost(), None);
    pipeline.handle(Input::VoiceLost { message: "the model host died".to_owned() }).for_each(drop);
    assert_eq!(pipeline.lost(), Some("the model host died"));
    for (words, lost) in [("manual", None), ("", Some("the model host died"))] {
        let configure = ClientEvent::Configure(Box::new(settings(words)));
        pipeline.handle(Input::Client { event_id: None, event: configure }).for_each(drop);
        assert_eq!(pipeline.lost(), lost, "{words:?}");
    }
}

#[test]
fn nobody_listens_any_more() {
    check(
        r#"
> speech 640
  speech started item_1 at 0ms
> deaf "the voice activity model is missing: run `duet models fetch`"
  error: Fault { message: "the voice activity model is missing: run `duet models fetch`" }
  speech stopped item_1 at 640ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #1 transcribe 640ms
> heard #1 "hello"
  transcribed item_1 "hello" of 0.64s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #2 speak "Okay, one moment."
> pcm #2 100
  item_2 sound +100ms
> ready #2
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
> sound 500
> speech 640
> commit
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  start #3 transcribe 1140ms
"#,
    );
}

#[test]
fn idle_is_asked_about_once() {
    check(
        r#"
idle=5000
> silence 9600
> speech 320
  speech started item_1 at 9300ms
> silence 224
  start #1 end of turn? after 844ms
> complete #1
  speech stopped item_1 at 10144ms
  committed item_1 first
  added item_1 User "" first
  done item_1 User "" first
  start #2 transcribe 844ms
> heard #2 "thanks"
  transcribed item_1 "thanks" of 0.844s
  response resp_1 created
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"Okay, one moment."
  start #3 speak "Okay, one moment."
> pcm #3 1000
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
  item_2 sound +200ms
> ready #3
  item_2 sound done
  item_2 words done "Okay, one moment."
  item_2 part done audio "Okay, one moment."
  done item_2 Assistant "Okay, one moment." after item_1
  resp_1/0 done item_2 Assistant "Okay, one moment."
  resp_1/1 added item_3 call_1 background_agent() (in progress)
  added item_3 call_1 background_agent() (in progress) after item_2
  item_3 arguments +{"prompt":"thanks"}
  item_3 arguments done background_agent {"prompt":"thanks"}
  done item_3 call_1 background_agent({"prompt":"thanks"}) after item_2
  resp_1/1 done item_3 call_1 background_agent({"prompt":"thanks"})
  response resp_1 Completed [item_2 item_3]
  rate limits
> silence 5888
> silence 128
  timeout item_4 11144ms to 16160ms
  committed item_4 after item_3
  added item_4 User "" after item_3
  done item_4 User "" after item_3
  response resp_2 created
  resp_2/0 added item_5 Assistant "" (in progress)
  added item_5 Assistant "" (in progress) after item_4
  item_5 part audio ""
  item_5 words +"I'm still here if you need anything."
  start #4 speak "I'm still here if you need anything."
> pcm #4 1000
  item_5 sound +200ms
  item_5 sound +200ms
  item_5 sound +200ms
  item_5 sound +200ms
  item_5 sound +200ms
> ready #4
  item_5 sound done
  item_5 words done "I'm still here if you need anything."
  item_5 part done audio "I'm still here if you need anything."
  done item_5 Assistant "I'm still here if you need anything." after item_4
  resp_2/0 done item_5 Assistant "I'm still here if you need anything."
  response resp_2 Completed [item_5]
  rate limits
> silence 9600
> speech 320
  speech started item_6 at 25460ms
"#,
    );
}
