//! Without a tool to hand off to, a language model answers.

use super::*;

#[test]
fn an_answer_is_spoken_as_it_is_written() {
    check(
        r#"
chat
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
> heard #2 "Who are you?"
  transcribed item_1 "Who are you?" of 0.864s
  response resp_1 created
  start #3 reply to [User: Who are you?]
> wrote #3 "I am **Duet**. I can"
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after item_1
  item_2 part audio ""
  item_2 words +"I am Duet."
  start #4 speak "I am Duet."
> wrote #3 " read `main.rs` for you"
> pcm #4 300
  item_2 sound +200ms
  item_2 sound +100ms
> ready #4
> ready #3
  item_2 words +" I can read main dot R S for you."
  start #5 speak "I can read main dot R S for you."
> pcm #5 300
  item_2 sound +200ms
  item_2 sound +100ms
> ready #5
  item_2 sound done
  item_2 words done "I am Duet. I can read main dot R S for you."
  item_2 part done audio "I am Duet. I can read main dot R S for you."
  done item_2 Assistant "I am Duet. I can read main dot R S for you." after item_1
  resp_1/0 done item_2 Assistant "I am Duet. I can read main dot R S for you."
  response resp_1 Completed [item_2]
  rate limits
"#,
    );
}

#[test]
fn an_answer_is_written() {
    check(
        r#"
chat text
> user u1 "Who are you?"
  added u1 User "Who are you?" first
  done u1 User "Who are you?" first
> respond
  response resp_1 created
  start #1 reply to [User: Who are you?]
> wrote #1 "I am **Du"
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part text ""
  item_1 text +"I am **Du"
> wrote #1 "et**."
  item_1 text +"et**."
> ready #1
  item_1 text done "I am **Duet**."
  item_1 part done text "I am **Duet**."
  done item_1 Assistant "I am **Duet**." after u1
  resp_1/0 done item_1 Assistant "I am **Duet**."
  response resp_1 Completed [item_1]
  rate limits
> user u2 "And now?"
  added u2 User "And now?" after item_1
  done u2 User "And now?" after item_1
> respond
  response resp_2 created
  start #2 reply to [User: Who are you? | Assistant: I am **Duet**. | User: And now?]
"#,
    );
}

#[test]
fn a_model_may_call_the_clients_functions() {
    check(
        r#"
chat
> user u1 "What is the weather?"
  added u1 User "What is the weather?" first
  done u1 User "What is the weather?" first
> respond
  response resp_1 created
  start #1 reply to [User: What is the weather?]
> wrote #1 "Let me look."
> called #1 get_weather "{\"city\":\"Oslo\",\"unit\":\"C\"}"
> ready #1
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part audio ""
  item_1 words +"Let me look."
  start #2 speak "Let me look."
> ready #2
  item_1 sound done
  item_1 words done "Let me look."
  item_1 part done audio "Let me look."
  done item_1 Assistant "Let me look." after u1
  resp_1/0 done item_1 Assistant "Let me look."
  resp_1/1 added item_2 call_1 get_weather() (in progress)
  added item_2 call_1 get_weather() (in progress) after item_1
  item_2 arguments +{\"city\":\"Oslo\",\"unit\":\"C\"}
  item_2 arguments done get_weather {\"city\":\"Oslo\",\"unit\":\"C\"}
  done item_2 call_1 get_weather({\"city\":\"Oslo\",\"unit\":\"C\"}) after item_1
  resp_1/1 done item_2 call_1 get_weather({\"city\":\"Oslo\",\"unit\":\"C\"})
  response resp_1 Completed [item_1 item_2]
  rate limits
> result call_1 "rain"
  added item_3 call_1 -> "rain" after item_2
  done item_3 call_1 -> "rain" after item_2
> respond
  response resp_2 created
  start #3 reply to [User: What is the weather? | Assistant: Let me look. | Call: get_weather | Output: rain]
"#,
    );
}

#[test]
fn a_model_that_fails() {
    check(
        r#"
chat
> user u1 "Hello"
  added u1 User "Hello" first
  done u1 User "Hello" first
> respond
  response resp_1 created
  start #1 reply to [User: Hello]
> wrote #1 "Hi. The"
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part audio ""
  item_1 words +"Hi."
  start #2 speak "Hi."
> failed #1 "the model host stopped; try again"
  cancel #2
  item_1 sound done
  item_1 words done "Hi."
  item_1 part done audio "Hi."
  done item_1 Assistant "Hi." (incomplete) after u1
  resp_1/0 done item_1 Assistant "Hi." (incomplete)
  response resp_1 Failed { message: "the model host stopped; try again" } [item_1]
  rate limits
> user u2 "Again"
  added u2 User "Again" after item_1
  done u2 User "Again" after item_1
> respond
  response resp_2 created
  start #3 reply to [User: Hello | Assistant: Hi. | User: Again]
> failed #3 "the model host stopped; try again"
  response resp_2 Failed { message: "the model host stopped; try again" } []
  rate limits
"#,
    );
}

#[test]
fn a_model_that_says_nothing() {
    check(
        r#"
chat
> user u1 "Hello"
  added u1 User "Hello" first
  done u1 User "Hello" first
> respond
  response resp_1 created
  start #1 reply to [User: Hello]
> ready #1
  response resp_1 Completed []
  rate limits
"#,
    );
}

#[test]
fn a_model_that_writes_only_code() {
    check(
        r#"
chat
> user u1 "Hello"
  added u1 User "Hello" first
  done u1 User "Hello" first
> respond
  response resp_1 created
  start #1 reply to [User: Hello]
> wrote #1 "```rust\nfn main() {}\n```"
> ready #1
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part audio ""
  item_1 words +"There is code on the screen."
  start #2 speak "There is code on the screen."
"#,
    );
}

#[test]
fn tokens_are_limited() {
    check(
        r#"
chat tokens=4
> user u1 "Count"
  added u1 User "Count" first
  done u1 User "Count" first
> respond
  response resp_1 created
  start #1 reply to [User: Count]
> wrote #1 "One two three."
> wrote #1 " Four five"
  cancel #1
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part audio ""
  item_1 words +"One two three."
  start #2 speak "One two three."
> wrote #1 " six seven"
> ready #2
  item_1 sound done
  item_1 words done "One two three."
  item_1 part done audio "One two three."
  done item_1 Assistant "One two three." (incomplete) after u1
  resp_1/0 done item_1 Assistant "One two three." (incomplete)
  response resp_1 OutOfTokens [item_1]
  rate limits
> ready #3
"#,
    );
}

#[test]
fn cancelling_stops_the_writer() {
    check(
        r#"
chat
> user u1 "Count"
  added u1 User "Count" first
  done u1 User "Count" first
> respond
  response resp_1 created
  start #1 reply to [User: Count]
> wrote #1 "One. Two. Three."
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) after u1
  item_1 part audio ""
  item_1 words +"One."
  start #2 speak "One."
> pcm #2 100
  item_1 sound +100ms
> cancel
  cancel #1
  cancel #2
  item_1 sound done
  item_1 words done "One."
  item_1 part done audio "One."
  done item_1 Assistant "One." (incomplete) after u1
  resp_1/0 done item_1 Assistant "One." (incomplete)
  response resp_1 Cancelled(ClientCancelled) [item_1]
  rate limits
> wrote #1 "Four."
> ready #2
"#,
    );
}

/// Its items join nothing, its metadata comes back.
#[test]
fn out_of_band_runs_beside() {
    check(
        r#"
chat
> user u1 "Count"
  added u1 User "Count" first
  done u1 User "Count" first
> respond
  response resp_1 created
  start #1 reply to [User: Count]
> respond aside
  response resp_2 created {"topic": "aside"}
  start #2 reply to [User: Count]
> wrote #2 "Numbers. "
  resp_2/0 added item_1 Assistant "" (in progress)
  item_1 part audio ""
  item_1 words +"Numbers."
  start #3 speak "Numbers."
> wrote #1 "One. "
  resp_1/0 added item_2 Assistant "" (in progress)
  added item_2 Assistant "" (in progress) after u1
  item_2 part audio ""
  item_2 words +"One."
  start #4 speak "One."
> ready #2
> pcm #3 100
  item_1 sound +100ms
> ready #3
  item_1 sound done
  item_1 words done "Numbers."
  item_1 part done audio "Numbers."
  resp_2/0 done item_1 Assistant "Numbers."
  response resp_2 Completed [item_1] {"topic": "aside"}
  rate limits
> retrieve item_1
  refuse e1: RetrieveUnknown { item: item_1 }
> cancel resp_2
  refuse e1: NothingToCancel
> cancel
  cancel #1
  cancel #4
  item_2 sound done
  item_2 words done "One."
  item_2 part done audio "One."
  done item_2 Assistant "One." (incomplete) after u1
  resp_1/0 done item_2 Assistant "One." (incomplete)
  response resp_1 Cancelled(ClientCancelled) [item_2]
  rate limits
"#,
    );
}

#[test]
fn a_context_of_ones_own() {
    check(
        r#"
chat text
> user u1 "Count"
  added u1 User "Count" first
  done u1 User "Count" first
> user u2 "Stop"
  added u2 User "Stop" after u1
  done u2 User "Stop" after u1
> respond to u1
  response resp_1 created
  start #1 reply to [User: Count]
> ready #1
  response resp_1 Completed []
  rate limits
> respond to nobody
  refuse e1: UnknownReference { item: nobody }
"#,
    );
}

#[test]
fn a_handoff_session_answers_itself_when_nothing_was_asked() {
    check(
        r#"
text
> respond
  response resp_1 created
  start #1 reply to []
> wrote #1 "Hello!"
  resp_1/0 added item_1 Assistant "" (in progress)
  added item_1 Assistant "" (in progress) first
  item_1 part text ""
  item_1 text +"Hello!"
> ready #1
  item_1 text done "Hello!"
  item_1 part done text "Hello!"
  done item_1 Assistant "Hello!" first
  resp_1/0 done item_1 Assistant "Hello!"
  response resp_1 Completed [item_1]
  rate limits
"#,
    );
}
