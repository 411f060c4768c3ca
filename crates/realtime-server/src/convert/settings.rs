//! The wire's session as the pipeline's settings.

use std::time::Duration;

use protocol::{ToolEffect, ToolSpec};
use realtime_wire::server as wire;
use voice_pipeline as ours;

use super::schema;

/// `language` is what is spoken where the client does not say.
pub(crate) fn settings(session: &wire::Session, language: &str) -> ours::Settings {
    let wire::Session {
        id: _,
        kind,
        expires_at: _,
        // There is one set of models here, whatever name they are asked by.
        model: _,
        output,
        instructions,
        input_format: _,
        // The ears are trained on noisy sound; echo and noise belong to whoever has the device.
        noise_reduction: _,
        transcription,
        turn_detection,
        output_format,
        voice,
        speed,
        tools,
        tool_choice,
        parallel_tool_calls: _,
        reasoning: _,
        max_output_tokens,
        truncation: _,
        tracing: _,
        include: _,
        prompt: _,
    } = session;
    ours::Settings {
        kind: match kind {
            wire::SessionKind::Realtime => ours::SessionKind::Realtime,
            wire::SessionKind::Transcription => ours::SessionKind::Transcription,
        },
        modality: modality(*output),
        instructions: instructions.clone(),
        transcription: transcription.as_ref().map(|it| hints(it, language)),
        turn_detection: turn_detection.map(turns),
        look: ours::Look { format: format(*output_format), voice: voice_of(voice) },
        speed: *speed as f32,
        tools: tools_of(tools),
        tool_use: tool_use(tool_choice),
        max_output_tokens: most_tokens(*max_output_tokens),
    }
}

pub(super) fn modality(modality: wire::Modality) -> ours::Modality {
    match modality {
        wire::Modality::Audio => ours::Modality::Audio,
        wire::Modality::Text => ours::Modality::Text,
    }
}

pub(super) fn format(format: wire::AudioFormat) -> ours::SoundFormat {
    match format {
        wire::AudioFormat::Pcm => ours::SoundFormat::Pcm,
        wire::AudioFormat::Pcmu => ours::SoundFormat::Ulaw,
        wire::AudioFormat::Pcma => ours::SoundFormat::Alaw,
    }
}

pub(super) fn voice_of(voice: &wire::Voice) -> ours::Voice {
    match voice {
        wire::Voice::Named(name) => ours::Voice::Named(name.clone()),
        wire::Voice::Custom(id) => ours::Voice::Custom(id.clone()),
    }
}

pub(super) fn most_tokens(limit: wire::MaxTokens) -> Option<u32> {
    match limit {
        wire::MaxTokens::Limit(limit) => Some(limit),
        wire::MaxTokens::Inf => None,
    }
}

pub(super) fn tool_use(choice: &wire::ToolChoice) -> ours::ToolUse {
    match choice {
        wire::ToolChoice::Auto => ours::ToolUse::Auto,
        wire::ToolChoice::None => ours::ToolUse::None,
        wire::ToolChoice::Required => ours::ToolUse::Required,
        wire::ToolChoice::Function(name) => ours::ToolUse::Function(name.clone()),
        // Remote tools are not called from here.
        wire::ToolChoice::Mcp { .. } => ours::ToolUse::Auto,
    }
}

pub(super) fn tools_of(tools: &[wire::Tool]) -> Vec<ToolSpec> {
    let functions = tools.iter().filter_map(|tool| match tool {
        wire::Tool::Function(function) => Some(function),
        wire::Tool::Mcp(_) => {
            tracing::warn!("a remote tool of the client is left out: only functions are called");
            None
        }
    });
    functions
        .map(|wire::Function { name, description, parameters }| ToolSpec {
            name: name.clone(),
            description: description.clone().unwrap_or_default(),
            parameters: parameters.as_ref().map(schema::properties).unwrap_or_default(),
            // The client runs it; we know nothing of it.
            effect: ToolEffect::Runs,
        })
        .collect()
}

fn hints(transcription: &wire::Transcription, default_language: &str) -> ours::Transcription {
    let wire::Transcription { model: _, language, languages, prompt, keywords, delay: _ } =
        transcription;
    let first = languages.as_ref().and_then(|it| it.first());
    let language = language.as_ref().or(first).map_or(default_language, String::as_str);
    let keywords = keywords.iter().flatten().map(String::as_str);
    let vocabulary: Vec<&str> = prompt.as_deref().into_iter().chain(keywords).collect();
    ours::Transcription { language: Some(language.to_owned()), vocabulary: vocabulary.join(", ") }
}

fn turns(turns: wire::TurnDetection) -> ours::TurnDetection {
    let wire::TurnDetection { kind, create_response, interrupt_response } = turns;
    let detector = match kind {
        wire::Detector::ServerVad {
            threshold,
            prefix_padding_ms,
            silence_duration_ms,
            idle_timeout_ms,
        } => ours::Detector::Silence {
            threshold: threshold as f32,
            prefix_padding: Duration::from_millis(prefix_padding_ms),
            silence: Duration::from_millis(silence_duration_ms),
            idle: idle_timeout_ms.map(Duration::from_millis),
        },
        // The service's longest waits.
        wire::Detector::SemanticVad { eagerness } => ours::Detector::Meaning {
            patience: Duration::from_secs(match eagerness {
                wire::Eagerness::Low => 8,
                wire::Eagerness::Medium | wire::Eagerness::Auto => 4,
                wire::Eagerness::High => 2,
            }),
        },
    };
    ours::TurnDetection { detector, create_response, interrupt_response }
}
