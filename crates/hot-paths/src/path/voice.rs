//! A piece of what the voice model says: from the service's `response.output_audio.delta` to
//! the client's notification.

use anyhow::{Context as _, bail};
use protocol::{BargeIn, RealtimeEvent, RealtimeVersion, SessionMode};
use realtime_session::{LinkEpoch, LinkNews};
use realtime_wire::client::Codec;
use serde_json::json;
use thread::{ConversationId, Input, Opening, Output, Prompt, StartupContext, Steps};

use super::{FRAME, Path, Told, tone};

/// 100 ms a piece: services send between 50 and 400.
const PIECE: usize = 5 * FRAME;

pub(crate) struct Voice {
    frame: String,
    codec: Codec,
    told: Told,
    conversation: ConversationId,
    epoch: LinkEpoch,
}

impl Voice {
    /// Opens a conversation, up to where a response sounds.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let conversation = ConversationId("019ab3c4-5d6e-7f80-91a2-b3c4d5e6f70a".to_owned());
        let mut told = Told::new();
        drop(told.handle(Input::Open));
        let outputs = told.handle(Input::StartConversation(Opening {
            conversation: conversation.clone(),
            session_id: None,
            version: RealtimeVersion::V2,
            mode: SessionMode::Conversational,
            voice: "marin".to_owned(),
            barge_in: BargeIn::ByService,
            prompt: Prompt::Text(String::new()),
            context: StartupContext::Text(String::new()),
            start_instructions: None,
            steps: Steps::Untold,
        }));
        let dial = |output| match output {
            Output::Connect { conversation: _, epoch } => Some(epoch),
            _other => None,
        };
        let epoch = outputs.into_iter().find_map(dial).context("the conversation dials nobody")?;
        let frame = json!({
            "type": "response.output_audio.delta",
            "event_id": "event_C8kZ0b1c2d3e4f5a6b7c8",
            "response_id": "resp_C8kZ0b1c2d3e4f5a6b7c8",
            "item_id": "item_C8kZ0b1c2d3e4f5a6b7c8",
            "output_index": 0,
            "content_index": 0,
            "delta": app_server_protocol::AudioChunk::new(&tone(PIECE), 24_000, None).data,
        });
        let codec = Codec::new(RealtimeVersion::V2);
        let mut voice = Self { frame: frame.to_string(), codec, told, conversation, epoch };
        let mut out = Vec::new();
        voice.link(LinkNews::Up, &mut out);
        for event in [
            RealtimeEvent::SessionUpdated { session: None },
            RealtimeEvent::ResponseCreated { response: None },
        ] {
            voice.link(LinkNews::Event(event), &mut out);
        }
        Ok(voice)
    }

    fn link(&mut self, news: LinkNews, out: &mut Vec<String>) {
        let (conversation, epoch) = (self.conversation.clone(), self.epoch);
        self.told.tell(Input::Link { conversation, epoch, news }, out);
    }
}

impl Path for Voice {
    fn step(&mut self, out: &mut Vec<String>) -> anyhow::Result<()> {
        let Some(event) = self.codec.decode(&self.frame)? else {
            bail!("sound means nothing to the codec");
        };
        self.link(LinkNews::Event(event), out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_one_notification_with_the_same_sound() {
        let mut path = Voice::new().unwrap();
        let mut out = Vec::new();
        path.step(&mut out).unwrap();
        assert!(out.remove(0).starts_with(r#"{"method":"thread/realtime/stage""#), "{out:?}");
        path.step(&mut out).unwrap();
        let sound = app_server_protocol::AudioChunk::new(&tone(PIECE), 24_000, None).data;
        let line = format!(
            concat!(
                r#"{{"method":"thread/realtime/outputAudio/delta","params":{{"#,
                r#""threadId":"019ab3c4-5d6e-7f80-91a2-b3c4d5e6f708","audio":{{"#,
                r#""data":"{}","sampleRate":24000,"numChannels":1,"samplesPerChannel":2400,"#,
                r#""itemId":"item_C8kZ0b1c2d3e4f5a6b7c8"}}}}}}"#,
                "\n"
            ),
            sound
        );
        assert_eq!(out, [line.clone(), line]);
    }
}
