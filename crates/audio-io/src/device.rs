//! Microphones and speakers: what there is, what is meant by a name, and why one cannot be used.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    Microphone,
    Speaker,
}

/// One that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub kind: DeviceKind,
    /// As the sound server calls it.
    pub name: String,
    /// For people.
    pub description: String,
    /// What is taken where none is named.
    pub is_default: bool,
    pub is_muted: bool,
    /// No microphone, but what a speaker plays. It is used only by its whole name.
    pub is_monitor: bool,
}

/// Why there is no sound. Each is a sentence for the person in front of it.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(
        "no microphone and no speaker can be reached: no sound server (PulseAudio or PipeWire) \
         answers{}; start one, or give the sound through pipes (`duet talk --help`)",
        at(places)
    )]
    NoServer { places: Vec<PathBuf>, source: Option<io::Error> },
    #[error("there is no {kind}: plug one in, or see `duet talk --list-devices`")]
    None { kind: DeviceKind },
    #[error("there is no {kind} called {name}: `duet talk --list-devices` names them")]
    Unknown { kind: DeviceKind, name: String },
    #[error("{name} may be one of several: {}; say more of its name", matches.join(", "))]
    Ambiguous { name: String, matches: Vec<String> },
    #[error("the {kind} {name} cannot be used: {reason}")]
    Refused { kind: DeviceKind, name: String, reason: &'static str },
    #[error(
        "the {kind} {name} is gone: it was unplugged, or its sound server ended; run the command \
         again to use another"
    )]
    Gone { kind: DeviceKind, name: String },
    #[error(
        "the {kind} {name} has stood still for {patience:?}: see `duet talk --list-devices`, and \
         name another"
    )]
    Stuck { kind: DeviceKind, name: String, patience: Duration },
    #[error("the sound server at {} cannot be talked to: {reason}", place.display())]
    Protocol { place: PathBuf, reason: String },
}

impl DeviceKind {
    const fn is(self, device: &Device) -> bool {
        matches!(
            (self, device.kind),
            (Self::Microphone, Self::Microphone) | (Self::Speaker, Self::Speaker)
        )
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Microphone => "microphone",
            Self::Speaker => "speaker",
        })
    }
}

fn at(places: &[PathBuf]) -> String {
    let places: Vec<String> = places.iter().map(|it| it.display().to_string()).collect();
    if places.is_empty() { String::new() } else { format!(" at {}", places.join(" or ")) }
}

/// The one that is meant: by its whole name or description, else by a part of either, in any case
/// of letters; without a name, the default.
pub(crate) fn pick<'d>(
    devices: &'d [Device],
    kind: DeviceKind,
    name: Option<&str>,
) -> Result<&'d Device, DeviceError> {
    let mut of_kind = devices.iter().filter(|it| kind.is(it));
    let Some(name) = name else {
        // A server without microphones offers what its speaker plays.
        let found = of_kind.find(|it| it.is_default && !it.is_monitor);
        return found.ok_or(DeviceError::None { kind });
    };
    let wanted = name.to_lowercase();
    let is_it = |it: &&Device| it.name == name || it.description.to_lowercase() == wanted;
    if let Some(whole) = of_kind.clone().find(is_it) {
        return Ok(whole);
    }
    let has_it = |it: &&Device| {
        let texts = [it.name.to_lowercase(), it.description.to_lowercase()];
        !it.is_monitor && texts.iter().any(|text| text.contains(&wanted))
    };
    let found: Vec<&Device> = of_kind.filter(has_it).collect();
    match found[..] {
        [] => Err(DeviceError::Unknown { kind, name: name.to_owned() }),
        [one] => Ok(one),
        [..] => Err(DeviceError::Ambiguous {
            name: name.to_owned(),
            matches: found.iter().map(|it| it.name.clone()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(kind: DeviceKind, name: &str, description: &str) -> Device {
        Device {
            kind,
            name: name.to_owned(),
            description: description.to_owned(),
            is_default: false,
            is_muted: false,
            is_monitor: name.ends_with(".monitor"),
        }
    }

    #[track_caller]
    fn check(name: Option<&str>, expected: Result<&str, &str>) {
        use DeviceKind::*;
        let devices = [
            device(Speaker, "alsa.usb-headset", "Headset"),
            device(Microphone, "alsa.usb-headset", "Headset Mono"),
            device(Microphone, "alsa.pci-built-in", "Built-in Audio"),
            Device { is_default: true, ..device(Microphone, "alsa.usb-camera", "Camera") },
            device(Microphone, "alsa.usb-headset.monitor", "Monitor of Headset"),
        ];
        let picked = pick(&devices, Microphone, name).map(|it| it.name.as_str());
        let picked = picked.map_err(|error| error.to_string());
        assert_eq!(picked.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn a_device_is_named_as_people_name_it() {
        check(None, Ok("alsa.usb-camera"));
        check(Some("alsa.pci-built-in"), Ok("alsa.pci-built-in"));
        check(Some("built-in audio"), Ok("alsa.pci-built-in"));
        check(Some("headset"), Ok("alsa.usb-headset"));
        check(Some("MONO"), Ok("alsa.usb-headset"));
        // What a speaker plays is no microphone, except for who says so.
        check(Some("alsa.usb-headset.monitor"), Ok("alsa.usb-headset.monitor"));
        check(
            Some("usb"),
            Err(
                "usb may be one of several: alsa.usb-headset, alsa.usb-camera; say more of its name",
            ),
        );
        check(
            Some("piano"),
            Err("there is no microphone called piano: `duet talk --list-devices` names them"),
        );
    }

    #[test]
    fn what_a_speaker_plays_is_no_default() {
        let mut monitor = device(DeviceKind::Microphone, "null.monitor", "Monitor of Null");
        monitor.is_default = true;
        let error = pick(&[monitor], DeviceKind::Microphone, None).unwrap_err();
        let expected = "there is no microphone: plug one in, or see `duet talk --list-devices`";
        assert_eq!(error.to_string(), expected);
    }
}
