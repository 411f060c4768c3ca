//! The voice, heard by the ears. That the ears hear people rightly is tested beside this.

use std::ops::ControlFlow;

use audio_dsp::Resampler;
use speech::{AsrOptions, EAR_RATE, Sentence, Tts, TtsError, TtsFiles, TtsOptions, VOICE_RATE};

use super::{Errors, asr, clips, cores, models};

/// No voice is steeper than this; a cut in the middle of a tone is many times so.
const CLICK: f32 = 8.0;

const CODING: &str = include_str!("../coding_sentences.txt");

fn tts() -> Tts {
    Tts::load(&TtsFiles::beneath(&models()), &cores()).unwrap()
}

fn say(tts: &Tts, text: &str) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    tts.speak(text, &TtsOptions::default(), &mut |sentence| {
        sentences.push(sentence);
        ControlFlow::Continue(())
    })
    .unwrap();
    sentences
}

fn for_the_ear(pcm: &[i16]) -> Vec<f32> {
    let mut resampler = Resampler::new(VOICE_RATE, EAR_RATE).unwrap();
    let mut samples = Vec::new();
    resampler.push(&audio_dsp::f32_from_pcm16(pcm), &mut samples);
    resampler.finish(&mut samples);
    samples
}

#[test]
fn sentences_about_code_are_intelligible() {
    let (asr, tts) = (asr(), tts());
    let mut errors = Errors::default();
    for line in CODING.lines() {
        let pcm: Vec<i16> = say(&tts, line).into_iter().flat_map(|sentence| sentence.pcm).collect();
        let heard = asr
            .transcribe(&for_the_ear(&pcm), &AsrOptions::default(), &mut || {
                ControlFlow::Continue(())
            })
            .unwrap();
        let these = Errors::of(line, &heard.text);
        if these.wrong > 0 {
            println!("{} wrong: {line}\n         {}", these.wrong, heard.text);
        }
        errors.add(these);
    }
    println!("the voice: {:.1} % of {} words wrong", errors.percent(), errors.said);
    assert!(errors.percent() < 8.0, "{} %", errors.percent());
}

/// The same sentences that people read for the recordings.
#[test]
fn the_voice_is_understood_where_people_are() {
    let (asr, tts) = (asr(), tts());
    let mut errors = Errors::default();
    for clip in clips() {
        let pcm: Vec<i16> = say(&tts, &clip.words).into_iter().flat_map(|s| s.pcm).collect();
        let heard = asr
            .transcribe(&for_the_ear(&pcm), &AsrOptions::default(), &mut || {
                ControlFlow::Continue(())
            })
            .unwrap();
        println!("{:24} {:?}", clip.name, heard.text);
        errors.add(Errors::of(&clip.words, &heard.text));
        // Neither hurried nor drawn out: people took about as long.
        let ratio =
            pcm.len() as f32 / VOICE_RATE as f32 / (clip.samples.len() as f32 / EAR_RATE as f32);
        assert!((0.4..2.0).contains(&ratio), "{}: {ratio}", clip.name);
    }
    assert!(errors.percent() < 10.0, "{} %", errors.percent());
}

#[test]
fn the_sound_is_clean() {
    let tts = tts();
    for line in CODING.lines() {
        for Sentence { text, pcm } in say(&tts, line) {
            println!("{:>6.2} {text}", click(&pcm));
            let peak = pcm.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!((3_000..29_300).contains(&peak), "{text}: peak {peak}");
            let mean = pcm.iter().map(|s| i64::from(*s)).sum::<i64>() / pcm.len() as i64;
            assert!(mean.abs() < 20, "{text}: offset {mean}");
            let click = click(&pcm);
            assert!(click < CLICK, "{text}: a jump {click} times as steep as the sound around it");
            assert_eq!((pcm.first(), pcm.last()), (Some(&0), Some(&0)));
        }
    }
}

/// The steepest step between two samples, as a multiple of the usual step in the 2 ms before or after it,
/// whichever is louder: what a voice does suddenly, it goes on doing for longer than one sample.
fn click(pcm: &[i16]) -> f32 {
    const SIDE: usize = VOICE_RATE as usize / 500;
    let steps: Vec<f32> =
        pcm.windows(2).map(|pair| f32::from(pair[1]) - f32::from(pair[0])).collect();
    let usual = |steps: &[f32]| {
        let mean = steps.iter().map(|step| step * step).sum::<f32>() / steps.len() as f32;
        // Silence has its own grain.
        mean.sqrt().max(30.0)
    };
    (SIDE..steps.len().saturating_sub(SIDE))
        .map(|i| steps[i].abs() / usual(&steps[i - SIDE..i]).max(usual(&steps[i + 1..=i + SIDE])))
        .fold(0.0, f32::max)
}

/// The measure finds what it is for.
#[test]
fn a_gap_in_the_sound_is_a_click() {
    let hum: Vec<i16> = (0..4_800).map(|i| (8_000.0 * (i as f32 * 0.05).sin()) as i16).collect();
    assert!(click(&hum) < 2.0);
    let cut: Vec<i16> = [&hum[..1_000], &hum[1_060..]].concat();
    assert!(click(&cut) > 10.0, "{}", click(&cut));
}

#[test]
fn sentences_come_one_by_one_with_their_words() {
    let sentences =
        say(&tts(), "It works. `cargo test` passed **twice**!\n\n```\nfn main() {}\n```");
    let texts: Vec<&str> = sentences.iter().map(|sentence| sentence.text.as_str()).collect();
    assert_eq!(texts, ["It works.", "cargo test passed twice!"]);
}

#[test]
fn the_same_text_sounds_the_same() {
    let tts = tts();
    let (once, again) = (say(&tts, "Again and again."), say(&tts, "Again and again."));
    assert!(once[0].pcm == again[0].pcm);
}

#[test]
fn speed_changes_the_length() {
    let tts = tts();
    let length = |speed| {
        let mut samples = 0;
        tts.speak("Two tests failed and twelve passed.", &TtsOptions { speed }, &mut |sentence| {
            samples += sentence.pcm.len();
            ControlFlow::Continue(())
        })
        .unwrap();
        samples as f32
    };
    let (slow, own, fast) = (length(0.7), length(1.0), length(1.5));
    assert!(slow > 1.2 * own && own > 1.2 * fast, "{slow} {own} {fast}");
    assert!(length(f32::NAN) == own && length(0.0) > own);
}

#[test]
fn a_speech_stops_when_it_is_told_to() {
    let mut heard = 0;
    let outcome = tts().speak("One. Two. Three.", &TtsOptions::default(), &mut |_| {
        heard += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(outcome, Err(TtsError::Cancelled)));
    assert_eq!(heard, 1);
}

/// Whatever the agent writes, the voice goes on.
#[test]
fn anything_can_be_said() {
    let tts = tts();
    let very_long = "and so on, ".repeat(150) + &"without a pause ".repeat(60);
    let texts = [
        "",
        "...",
        "日本語",
        "𝓗𝓮𝓵𝓵𝓸",
        "a'b'c",
        "'",
        "x_y_z__",
        "Ünïcödé",
        "\u{0}\u{7f}",
        "CI/CD APIs OK IT US",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        very_long.as_str(),
    ];
    for text in texts {
        for sentence in say(&tts, text) {
            assert!(sentence.pcm.len() < 40 * VOICE_RATE as usize, "{text}");
        }
    }
}
