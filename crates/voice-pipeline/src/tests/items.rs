//! Items that clients make, ask for and take away.

use super::*;

#[test]
fn items_go_where_they_are_put() {
    check(
        r#"
> user a "first"
  added a User "first" first
  done a User "first" first
> user b "second"
  added b User "second" after a
  done b User "second" after a
> user c after a "between"
  added c User "between" after a
  done c User "between" after a
> user d after root "in front"
  added d User "in front" first
  done d User "in front" first
> user a "again"
  refuse e1: DuplicateItem { item: a }
> user e after nothing "lost"
  refuse e1: UnknownPrevious { item: nothing }
> retrieve c
  retrieved c User "between" with 0ms
> retrieve e
  refuse e1: RetrieveUnknown { item: e }
> delete a
  deleted a
> delete a
  refuse e1: DeleteUnknown { item: a }
> user a "anew"
  added a User "anew" after b
  done a User "anew" after b
"#,
    );
}

#[test]
fn a_recorded_item_is_written_down() {
    check(
        r#"
> recording r 1500
  added r User "" first
  done r User "" first
  start #1 transcribe 1500ms
> retrieve r
  retrieved r User "" with 1500ms
> heard #1 "hello there"
  transcribed r "hello there" of 1.5s
> retrieve r
  retrieved r User "hello there" with 1500ms
> recording s 1500
  added s User "" after r
  done s User "" after r
  start #2 transcribe 1500ms
> delete s
  cancel #2
  deleted s
> heard #2 "too late"
"#,
    );
}

#[test]
fn what_grows_cannot_be_deleted() {
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
> pcm #1 100
  item_2 sound +100ms
> delete item_2
  refuse e1: DeleteGrowing { item: item_2 }
> retrieve item_2
  retrieved item_2 Assistant "One test fails." (in progress) with 100ms
> ready #1
  item_2 sound done
  item_2 words done "One test fails."
  item_2 part done audio "One test fails."
  done item_2 Assistant "One test fails." after item_1
  resp_1/0 done item_2 Assistant "One test fails."
  response resp_1 Completed [item_2]
  rate limits
> delete item_2
  deleted item_2
> retrieve item_2
  refuse e1: RetrieveUnknown { item: item_2 }
"#,
    );
}

#[test]
fn deleting_what_a_response_waits_for() {
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
> delete item_1
  cancel #1
  deleted item_1
  response resp_1 Completed []
  rate limits
"#,
    );
}

#[test]
fn deleting_what_was_said_takes_the_request_back() {
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
> delete item_1
  cancel #2
  deleted item_1
> heard #2 "too late"
"#,
    );
}

#[test]
fn there_is_no_output_buffer_here() {
    check(
        r#"
> clear output
  refuse e1: NoOutputBuffer
> settings chat
  configured
"#,
    );
}
