//! Items that clients make, ask for and take away.

use super::*;
use crate::conversation::{MOST_ITEMS, MOST_TEXT};
use crate::pipeline::MOST_DICTATIONS;

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

/// What a client creates is kept, so there is an end to it; what it takes away makes room.
#[test]
fn a_conversation_has_room_for_so_much() {
    let mut pipeline = Pipeline::new(settings("manual"), "");
    let mut create = |id: Option<&str>, len: usize| {
        let text = "a".repeat(len);
        let event = super::create(id, message(Role::User, text), Place::End);
        refusal(&mut pipeline, event)
    };
    let full = Some(Refusal::ConversationFull { items: MOST_ITEMS, bytes: MOST_TEXT });
    assert_eq!(create(Some("big"), MOST_TEXT - 10), None);
    assert_eq!(create(None, 11), full);
    assert_eq!(create(None, 10), None);
    assert_eq!(create(None, 1), full);
    let delete = ClientEvent::DeleteItem { item: ItemId::new("big") };
    assert_eq!(refusal(&mut pipeline, delete), None);
    for _ in 1..MOST_ITEMS {
        let event = super::create(None, message(Role::User, "a".to_owned()), Place::End);
        assert_eq!(refusal(&mut pipeline, event), None);
    }
    let event = super::create(None, message(Role::User, "a".to_owned()), Place::End);
    assert_eq!(refusal(&mut pipeline, event), full);
}

/// Sound is kept until it is written down, so not everything is written down at once.
#[test]
fn so_many_recordings_are_written_down_at_a_time() {
    let mut pipeline = Pipeline::new(settings("manual"), "");
    let recording = || {
        let part = Content::InputAudio { pcm: tone("1000").into(), transcript: None };
        let body = ItemBody::Message { role: Role::User, content: vec![part] };
        super::create(None, body, Place::End)
    };
    for _ in 0..MOST_DICTATIONS {
        assert_eq!(refusal(&mut pipeline, recording()), None);
    }
    assert_eq!(pipeline.unwritten(), MOST_DICTATIONS as u64 * u64::from(DUET_HZ));
    let many = Some(Refusal::TooManyDictations { most: MOST_DICTATIONS });
    assert_eq!(refusal(&mut pipeline, recording()), many);
    pipeline.handle(Input::Audio { pcm: tone("1000") }).for_each(drop);
    assert_eq!(refusal(&mut pipeline, ClientEvent::CommitAudio), many);
    let news = heard("hello".to_owned(), -0.2, 0.01);
    pipeline.handle(Input::Job { epoch: Epoch(1), news }).for_each(drop);
    // The sound that could not be committed is still there.
    assert_eq!(refusal(&mut pipeline, ClientEvent::CommitAudio), None);
}

#[test]
fn pictures_are_refused() {
    let mut pipeline = Pipeline::new(settings("manual"), "");
    let picture = || {
        let part = Content::InputImage { image_url: "data:".to_owned(), detail: None };
        ItemBody::Message { role: Role::User, content: vec![part] }
    };
    let created = super::create(None, picture(), Place::End);
    let input = Some(vec![InputItem::New(NewItem { id: None, body: picture() })]);
    let request = ResponseRequest { input, ..ResponseRequest::default() };
    for event in [created, ClientEvent::CreateResponse(Box::new(request))] {
        assert_eq!(refusal(&mut pipeline, event), Some(Refusal::NoImages));
    }
}

/// Why a client's event is not taken.
fn refusal(pipeline: &mut Pipeline, event: ClientEvent) -> Option<Refusal> {
    let outputs: Vec<Output> = pipeline.handle(Input::Client { event_id: None, event }).collect();
    outputs.into_iter().find_map(|output| match output {
        Output::Send(Event::Refused { event_id: _, refusal }) => Some(refusal),
        Output::Send(_) | Output::Start { .. } | Output::Cancel { .. } => None,
    })
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
