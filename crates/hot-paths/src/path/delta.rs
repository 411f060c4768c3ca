//! A piece of the agent's answer: from the bytes of the model's server-sent event to the
//! client's notification.

use anyhow::bail;
use protocol::{InputSource, TurnId};
use responses_wire::Reply;
use thread::{Input, Output, RequestId, Surroundings};
use transport::SseDecoder;

use super::{Path, Told, turn};

/// As a hosted Responses API sends one.
const EVENT: &str = "\
event: response.output_text.delta\n\
data: {\"type\":\"response.output_text.delta\",\"sequence_number\":117,\
\"item_id\":\"msg_0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071\",\"output_index\":1,\
\"content_index\":0,\"delta\":\" failing\",\"logprobs\":[],\"obfuscation\":\"xQ3vZ8kT\"}\n\n";

/// As [`transport`] has it for a stream.
const EVENT_BYTES: usize = 16 << 20;

pub(crate) struct Delta {
    decoder: SseDecoder,
    reply: Reply,
    told: Told,
    turn: TurnId,
    epoch: agent_turn::Epoch,
}

impl Delta {
    /// Begins a turn, up to where its model is called.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut told = Told::new();
        let text = "which test fails?".to_owned();
        let input = agent_turn::UserInput { text, source: InputSource::Typed, material: None };
        drop(told.handle(Input::Open));
        drop(told.handle(Input::StartTurn { request: RequestId(1), input }));
        let surroundings = Surroundings {
            tools: Vec::new(),
            enforcement: agent_turn::Enforcement::Sandboxed,
            project_docs: Vec::new(),
            date: "2026-11-24".to_owned(),
            seed: 1,
        };
        let surroundings = Ok(surroundings);
        let prepared = Input::Prepared { turn: turn(1), name: turn(3), surroundings };
        for output in told.handle(prepared) {
            if let Output::CallModel { turn, epoch, request: _ } = output {
                let decoder = SseDecoder::new(EVENT_BYTES);
                return Ok(Self { decoder, reply: Reply::new(), told, turn, epoch });
            }
        }
        bail!("the turn calls no model");
    }
}

impl Path for Delta {
    fn step(&mut self, out: &mut Vec<String>) -> anyhow::Result<()> {
        self.decoder.push(EVENT.as_bytes());
        while let Ok(Some(event)) = self.decoder.next_event() {
            for event in self.reply.event(&event.data)? {
                let news = agent_turn::Input::Model { epoch: self.epoch, event };
                self.told.tell(Input::Turn { turn: self.turn.clone(), news }, out);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_delta_is_one_notification() {
        let mut path = Delta::new().unwrap();
        let mut out = Vec::new();
        path.step(&mut out).unwrap();
        assert!(out.remove(0).starts_with(r#"{"method":"item/started""#), "{out:?}");
        path.step(&mut out).unwrap();
        let line = concat!(
            r#"{"method":"item/agentMessage/delta","params":{"#,
            r#""threadId":"019ab3c4-5d6e-7f80-91a2-b3c4d5e6f708","#,
            r#""turnId":"019ab3c4-5d6e-7f80-91a2-b3c4d5e6f701","#,
            r#""itemId":"019ab3c4-5d6e-7f80-91a2-b3c4d5e6f701-2","delta":" failing"}}"#,
            "\n"
        );
        assert_eq!(out, [line, line]);
    }
}
