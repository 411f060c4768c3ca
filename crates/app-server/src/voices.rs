//! The voices of the realtime services, as the reference lists them.

use app_server_protocol::RealtimeVoices;
use protocol::RealtimeVersion;

const V1: &[&str] =
    &["juniper", "maple", "spruce", "ember", "vale", "breeze", "arbor", "sol", "cove"];
const V1_DEFAULT: &str = "cove";

const V2: &[&str] =
    &["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];
const V2_DEFAULT: &str = "marin";

pub(crate) fn all() -> RealtimeVoices {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    RealtimeVoices {
        v1: owned(V1),
        v2: owned(V2),
        default_v1: V1_DEFAULT.to_owned(),
        default_v2: V2_DEFAULT.to_owned(),
    }
}

/// The voice that is asked for, checked; else the version's own.
pub(crate) fn choose(version: RealtimeVersion, asked: Option<&str>) -> Result<String, String> {
    let (name, voices, default) = match version {
        RealtimeVersion::V1 => ("v1", V1, V1_DEFAULT),
        RealtimeVersion::V2 => ("v2", V2, V2_DEFAULT),
    };
    let voice = asked.unwrap_or(default);
    if voices.contains(&voice) {
        return Ok(voice.to_owned());
    }
    let supported = voices.join(", ");
    Err(format!(
        "realtime voice `{voice}` is not supported for {name}; supported voices: {supported}"
    ))
}
