//! A frame of the microphone: from the client's `thread/realtime/appendAudio` to the message
//! for the realtime service, and the answer to the client.

use anyhow::{Context as _, bail};
use app_server_protocol::{
    AudioChunk, ClientRequest, Empty, Lines, Message, Method as _, RealtimeAppendAudioParams,
    RequestId, methods,
};
use audio_dsp::{DUET_HZ, Hearing};
use protocol::{RealtimeCommand, RealtimeVersion};
use realtime_wire::client::Codec;

use super::{FRAME, Path, THREAD, tone};

pub(crate) struct Microphone {
    line: String,
    lines: Lines,
    hearing: Hearing,
    codec: Codec,
}

impl Microphone {
    /// As `talk` sends it.
    pub(crate) fn new() -> Self {
        Self::of(&tone(FRAME), DUET_HZ)
    }

    /// As browsers and sound cards have it.
    pub(crate) fn of_48_khz() -> Self {
        Self::of(&tone(2 * FRAME), 2 * DUET_HZ)
    }

    fn of(pcm: &[i16], hz: u32) -> Self {
        let params = RealtimeAppendAudioParams {
            thread_id: THREAD.to_owned(),
            audio: AudioChunk::new(pcm, hz, None),
        };
        let method = methods::RealtimeAppendAudio::NAME;
        Self {
            line: Message::request(&RequestId::number(1_234), method, &params),
            lines: Lines::default(),
            hearing: Hearing::default(),
            codec: Codec::new(RealtimeVersion::V2),
        }
    }
}

impl Path for Microphone {
    fn step(&mut self, out: &mut Vec<String>) -> anyhow::Result<()> {
        self.lines.push(self.line.as_bytes());
        let line = self.lines.pop().context("no line came of a line")??;
        let Ok(Message::Request { id, method, params }) = Message::parse(&line) else {
            bail!("not a request: {line}");
        };
        let request = ClientRequest::read(&method, params.as_deref())?;
        let ClientRequest::RealtimeAppendAudio(RealtimeAppendAudioParams { thread_id: _, audio }) =
            request
        else {
            bail!("not sound: {line}");
        };
        let pcm = self.hearing.hear(audio.pcm()?, audio.sample_rate, audio.num_channels)?;
        out.extend(self.codec.encode(&RealtimeCommand::AppendAudio { pcm }));
        out.push(Message::result(&id, &Empty {}));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_out_as_it_came_in() {
        let mut path = Microphone::new();
        let mut out = Vec::new();
        for _ in 0..3 {
            path.step(&mut out).unwrap();
        }
        let sound = AudioChunk::new(&tone(FRAME), DUET_HZ, None).data;
        let appended = format!(r#"{{"type":"input_audio_buffer.append","audio":"{sound}"}}"#);
        let answered = "{\"id\":1234,\"result\":{}}\n";
        let frame = [appended.as_str(), answered];
        assert_eq!(out, [frame, frame, frame].concat());
    }

    #[test]
    fn sound_at_48_khz_goes_out_at_24() {
        let mut path = Microphone::of_48_khz();
        let mut out = Vec::new();
        for _ in 0..50 {
            path.step(&mut out).unwrap();
        }
        // A second of base64 PCM16, but for the few milliseconds that the resampler keeps.
        let second = 24_000 * 2 * 4 / 3;
        let sent: usize = out.iter().map(String::len).sum();
        assert!(sent.abs_diff(second) < second / 5, "{sent} is not about {second}");
    }
}
