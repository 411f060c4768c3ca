use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_io::{WavError, WavReader, WavShape};
use stdx::Dice;
use tempfile::TempDir;

use crate::forge::{self, FORMATS, Format, chunk, chunk_of_len, fmt, fmt_raw, wav};

/// Half a second of 440 Hz comes out of every kind of file, at the right pitch and level.
#[test]
fn every_rate_and_channel_count_and_sample_format_is_understood() {
    let dir = TempDir::new().unwrap();
    for format in FORMATS {
        for hz in [8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000] {
            for channels in [1, 2, 6] {
                let file = keep(&dir, &forge::tone(format, hz, channels));
                let mut reader = WavReader::open(&file).unwrap();
                let duration = Some(Duration::from_millis(500));
                assert_eq!(reader.shape(), WavShape { hz, channels, duration });
                let heard = reader.read_to_end().unwrap();
                assert_eq!(heard.len(), 12_000, "{format:?} {hz} Hz {channels} channels");
                // Away from the ends, where a resampled tone begins and stops.
                for (n, sample) in heard.iter().enumerate().take(10_000).skip(2_000) {
                    let wanted = 0.5 * (TAU * 440.0 * n as f64 / 24_000.0).sin();
                    let error = (f64::from(*sample) / 32_768.0 - wanted).abs();
                    let bound = format.error() + 0.006;
                    assert!(error < bound, "{format:?} {hz} Hz {channels} ch: {error} at {n}");
                }
            }
        }
    }
}

#[test]
fn frames_are_20_ms() {
    let dir = TempDir::new().unwrap();
    let file = keep(&dir, &forge::tone(Format::I16, 44_101, 1));
    let mut reader = WavReader::open(&file).unwrap();
    let mut lengths = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        lengths.push(frame.len());
    }
    let last = lengths.pop().unwrap();
    assert!(lengths.iter().all(|len| *len == 480), "{lengths:?}");
    assert!(0 < last && last <= 480);
    assert_eq!(reader.next_frame().unwrap(), None);
}

#[test]
fn headers_of_other_makers_are_understood() {
    const TAIL: [u8; 14] =
        [0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71];
    let data: Vec<u8> = [1_000_i16; 960].iter().flat_map(|it| it.to_le_bytes()).collect();
    let rf64 = {
        let mut sizes = 0_u64.to_le_bytes().to_vec();
        sizes.extend((data.len() as u64).to_le_bytes());
        sizes.extend([0; 12]);
        let mut body = b"WAVE".to_vec();
        body.extend(chunk(b"ds64", &sizes));
        body.extend(fmt(Format::I16, 24_000, 1));
        body.extend(chunk_of_len(b"data", u32::MAX, &data));
        chunk_of_len(b"RF64", u32::MAX, &body)
    };
    let killed_recorder = {
        let mut body = b"WAVE".to_vec();
        body.extend(fmt(Format::I16, 24_000, 1));
        body.extend(chunk_of_len(b"data", 0, &data));
        chunk_of_len(b"RIFF", 0, &body)
    };
    // Killed too, but its header was that of an empty file.
    let killed_at_once = {
        let mut body = b"WAVE".to_vec();
        body.extend(fmt(Format::I16, 24_000, 1));
        body.extend(chunk_of_len(b"data", 0, &data));
        chunk_of_len(b"RIFF", 36, &body)
    };
    // 16 bits at the top of 4 bytes.
    let roomy: Vec<u8> = [1_000_i32 << 16; 960].iter().flat_map(|it| it.to_le_bytes()).collect();
    let files: [(&str, Vec<u8>); 9] = [
        ("plain", wav(&[fmt(Format::I16, 24_000, 1), chunk(b"data", &data)])),
        (
            "extensible",
            wav(&[forge::fmt_extensible(Format::I16, 24_000, 1, &TAIL), chunk(b"data", &data)]),
        ),
        (
            "chunks between, one of them odd",
            wav(&[
                chunk(b"LIST", b"INFOsmall"),
                fmt(Format::I16, 24_000, 1),
                chunk(b"fact", &960_u32.to_le_bytes()),
                chunk(b"data", &data),
                chunk(b"LIST", b"INFO after the sound"),
            ]),
        ),
        ("streamed", wav(&[fmt(Format::I16, 24_000, 1), chunk_of_len(b"data", u32::MAX, &data)])),
        ("cut short", wav(&[fmt(Format::I16, 24_000, 1), chunk_of_len(b"data", 1_000_000, &data)])),
        ("above 4 GiB", rf64),
        ("recorder was killed", killed_recorder),
        ("recorder with a header was killed", killed_at_once),
        ("roomy", wav(&[fmt_raw(1, 1, 24_000, 4, 16), chunk(b"data", &roomy)])),
    ];
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files {
        let heard = WavReader::open(&keep(&dir, &bytes)).unwrap().read_to_end().unwrap();
        assert_eq!(heard, [1_000; 960], "{name}");
    }
}

#[test]
fn what_is_no_sound_is_named_with_its_remedy() {
    let dir = TempDir::new().unwrap();
    let check = |bytes: &[u8], expected: &str| {
        let path = keep(&dir, bytes);
        let message = WavReader::open(&path).unwrap_err().to_string();
        assert_eq!(message.replace(&path.display().to_string(), "FILE"), expected);
    };
    let i16 = |channels, hz| fmt(Format::I16, hz, channels);
    let not_wav = "FILE is not a WAV file; convert it, for instance with `ffmpeg -i FILE out.wav`";
    check(b"", not_wav);
    check(b"ID3\x04 this is music", not_wav);
    check(&chunk(b"RIFF", b"AVI LIST"), not_wav);
    check(
        &wav(&[i16(1, 24_000), chunk(b"data", b"")]),
        "FILE holds no sound: it has no samples; record it again",
    );
    check(
        &wav(&[i16(1, 24_000), chunk(b"data", b"x")]),
        "FILE holds no sound: it has no samples; record it again",
    );
    check(
        &wav(&[i16(1, 24_000)]),
        "FILE is damaged: it ends before its samples; record or export it again",
    );
    check(
        &wav(&[chunk(b"data", b"12345678")]),
        "FILE is damaged: its samples have no format; record or export it again",
    );
    check(
        &wav(&[chunk(b"fmt ", b"short"), chunk(b"data", b"12345678")]),
        "FILE is damaged: its format is cut short; record or export it again",
    );
    check(
        &wav(&[i16(0, 24_000), chunk(b"data", b"12345678")]),
        "FILE is damaged: it has no channels; record or export it again",
    );
    for hz in [0, 7, 4_000_000_000] {
        check(
            &wav(&[i16(1, hz), chunk(b"data", b"12345678")]),
            &format!(
                "FILE is damaged: {hz} samples a second is not a sensible rate: take one from 1000 \
                 to 768000 Hz; record or export it again"
            ),
        );
    }
    for (tag, bits, what) in [
        (2, 4, "ADPCM compression"),
        (0x55, 0, "MPEG compression"),
        (1, 64, "whole numbers of 8 bytes"),
        (3, 16, "floating numbers of 2 bytes"),
        (0xBEEF, 16, "sample format 0xbeef"),
    ] {
        check(
            &wav(&[fmt_raw(tag, 1, 24_000, bits / 8, bits), chunk(b"data", b"12345678")]),
            &format!(
                "FILE is a WAV file with {what}, which is not understood; convert it, for \
                 instance with `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
            ),
        );
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = TempDir::new().unwrap();
    for path in [dir.path().join("missing.wav"), dir.path().to_owned()] {
        let error = WavReader::open(&path).unwrap_err();
        assert!(matches!(error, WavError::Unreadable { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("cannot read {}: ", path.display())));
    }
}

/// Bytes of an honest file, changed at random, and plain garbage behind an honest start:
/// sound or a sentence, in bounded memory.
#[test]
fn garbage_ends_in_sound_or_in_a_sentence() {
    let dir = TempDir::new().unwrap();
    let mut sounded = 0;
    for seed in 0..600 {
        let mut dice = Dice::new(seed);
        let format = FORMATS[dice.roll(8) as usize];
        let mut bytes = forge::noise(format, 8_000, 1 + dice.roll(3) as u16, 900);
        for _ in 0..1 + dice.roll(6) {
            // Mostly in the header, where the lies are.
            let place = if dice.once_in(4) { dice.roll(bytes.len() as u64) } else { dice.roll(44) };
            bytes[place as usize] = match dice.roll(3) {
                0 => 0,
                1 => 0xFF,
                _ => dice.roll(256) as u8,
            };
        }
        if dice.once_in(3) {
            bytes.truncate(dice.roll(bytes.len() as u64) as usize);
        }
        let path = keep(&dir, &bytes);
        match WavReader::open(&path).and_then(|mut reader| reader.read_to_end()) {
            Ok(samples) => {
                assert!(!samples.is_empty(), "seed {seed}");
                sounded += 1;
            }
            Err(error) => {
                let sentence = error.to_string();
                assert!(sentence.contains(&path.display().to_string()), "seed {seed}: {sentence}");
            }
        }
    }
    // The world must be neither all broken nor all well.
    assert!((60..540).contains(&sounded), "{sounded}");
}

/// Infinities and what is no number must not ring through the filter.
#[test]
fn floats_of_any_value_stay_in_their_place() {
    let mut samples = vec![0.25_f32; 48_000];
    samples[100] = f32::INFINITY;
    samples[101] = f32::NAN;
    samples[102] = -1e30;
    let data: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
    let dir = TempDir::new().unwrap();
    let file = keep(&dir, &wav(&[fmt(Format::F32, 48_000, 1), chunk(b"data", &data)]));
    let heard = WavReader::open(&file).unwrap().read_to_end().unwrap();
    assert!(heard[1_000..22_000].iter().all(|it| (it - 8_192).abs() < 10));
}

fn keep(dir: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("in.wav");
    std::fs::write(&path, bytes).unwrap();
    Path::new(&path).to_owned()
}
