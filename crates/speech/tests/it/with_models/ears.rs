//! Voice activity, the end of a turn, the words.

use std::ops::ControlFlow;
use std::time::Instant;

use speech::{AsrError, AsrOptions, EAR_RATE, EndOfTurn, VAD_FRAME, Vad};

use super::{Errors, asr, clips, cores, models, noise, questions, silence};

/// The share of frames in which somebody speaks.
fn spoken(vad: &Vad, samples: &[f32]) -> f32 {
    let mut stream = vad.stream();
    let (frames, _) = samples.as_chunks::<VAD_FRAME>();
    let speech = frames.iter().filter(|frame| stream.hear(frame).unwrap() > 0.5).count();
    speech as f32 / frames.len() as f32
}

fn vad() -> Vad {
    Vad::load(&models().join("silero_vad_16k.onnx"), &cores()).unwrap()
}

#[test]
fn people_are_heard_and_silence_is_not() {
    let vad = vad();
    for clip in clips().into_iter().chain(questions()) {
        let share = spoken(&vad, &clip.samples);
        assert!(share > 0.5, "{}: only {share} of it is speech", clip.name);
    }
    assert_eq!(spoken(&vad, &silence(5.0)), 0.0);
    assert_eq!(spoken(&vad, &noise(5.0, 0.05)), 0.0);
}

#[test]
fn speech_is_noticed_after_long_silence_at_once() {
    let vad = vad();
    for clip in clips() {
        let mut stream = vad.stream();
        let quiet = noise(30.0, 0.001);
        for frame in quiet.as_chunks::<VAD_FRAME>().0 {
            assert!(stream.hear(frame).unwrap() < 0.5);
        }
        let fresh = {
            let mut stream = vad.stream();
            onset(|frame| stream.hear(frame).unwrap(), &clip.samples)
        };
        let onset = onset(|frame| stream.hear(frame).unwrap(), &clip.samples);
        // At most 100 ms after a stream that heard nothing before.
        assert!(onset <= fresh + 3, "{}: frame {onset}, not {fresh}", clip.name);
    }
}

#[test]
fn what_is_no_sound_is_forgotten() {
    let clip = clips().remove(0);
    let vad = vad();
    let mut stream = vad.stream();
    for broken in [f32::NAN, f32::INFINITY] {
        assert!(stream.hear(&[broken; VAD_FRAME]).unwrap() < 0.5);
    }
    let mut untouched = vad.stream();
    let fresh = onset(|frame| untouched.hear(frame).unwrap(), &clip.samples);
    assert!(onset(|frame| stream.hear(frame).unwrap(), &clip.samples) <= fresh + 3);

    let heard = asr().transcribe(&[f32::NAN; 16_000], &AsrOptions::default(), &mut go_on).unwrap();
    assert!(heard.text.len() < 200, "{heard:?}");
}

fn onset(mut hear: impl FnMut(&[f32; VAD_FRAME]) -> f32, samples: &[f32]) -> usize {
    let (frames, _) = samples.as_chunks::<VAD_FRAME>();
    frames.iter().position(|frame| hear(frame) > 0.5).unwrap()
}

/// What the authors' own code and ONNX Runtime give for each recording up to its last sound, with 0.1 s of
/// silence after it. The network is not infallible: "He was not an ill-disposed young man." is unfinished to it.
const REFERENCE: [(&str, f32); 13] = [
    ("austen-0870.wav", 0.92),
    ("austen-0880.wav", 0.04),
    ("austen-0890.wav", 0.94),
    ("austen-0920.wav", 0.98),
    ("austen-0930.wav", 0.04),
    ("goforward.wav", 0.98),
    ("request.wav", 0.99),
    ("explain.wav", 0.97),
    ("last-commit.wav", 0.97),
    ("parser-timeout.wav", 0.99),
    ("todo.wav", 0.96),
    ("uncommitted.wav", 0.89),
    ("which-tests.wav", 0.94),
];

#[test]
fn the_end_of_a_turn_is_judged_as_by_its_authors() {
    let turn = EndOfTurn::load(&models().join("smart-turn-v3.2-cpu.onnx"), &cores()).unwrap();
    let (mut whole, mut halves) = (Vec::new(), Vec::new());
    for clip in clips().into_iter().chain(questions()) {
        let end = clip.samples.iter().rposition(|sample| sample.abs() > 0.02).unwrap();
        let until = |end: usize| {
            let heard = [&clip.samples[..end], &silence(0.1)].concat();
            turn.probability(&heard).unwrap()
        };
        let (_, reference) = REFERENCE.iter().find(|(name, _)| *name == clip.name).unwrap();
        let p = until(end);
        let cut = until(end * 6 / 10);
        println!("{:24} whole {p:.2} (reference {reference:.2}), cut {cut:.2}", clip.name);
        // Another order of rounding in a network of 8 bits.
        assert!((p - reference).abs() < 0.15, "{}: {p}, not {reference}", clip.name);
        whole.push(p);
        halves.push(cut);
    }
    let mean = |p: &[f32]| p.iter().sum::<f32>() / p.len() as f32;
    println!("mean: whole {:.2}, cut {:.2}", mean(&whole), mean(&halves));
    assert!(whole.iter().filter(|p| **p > 0.5).count() >= 11, "{whole:?}");
    assert!(mean(&whole) > mean(&halves) + 0.2, "{whole:?} {halves:?}");
}

#[test]
fn a_turn_of_any_length_can_be_judged() {
    let turn = EndOfTurn::load(&models().join("smart-turn-v3.2-cpu.onnx"), &cores()).unwrap();
    for samples in [silence(0.0), silence(0.01), noise(20.0, 0.5), vec![f32::MAX; 100]] {
        if let Ok(p) = turn.probability(&samples) {
            assert!((0.0..=1.0).contains(&p), "{p}");
        }
    }
}

#[test]
fn people_are_understood() {
    let asr = asr();
    let mut errors = Errors::default();
    for clip in clips() {
        let started = Instant::now();
        let heard = asr.transcribe(&clip.samples, &AsrOptions::default(), &mut go_on).unwrap();
        println!("{:24} {:>5} ms {:?}", clip.name, started.elapsed().as_millis(), heard.text);
        assert!(heard.no_speech < 0.5, "{}: {heard:?}", clip.name);
        errors.add(Errors::of(&clip.words, &heard.text));
    }
    println!("people: {:.1} % of {} words wrong", errors.percent(), errors.said);
    assert!(errors.percent() < 6.0, "{} %", errors.percent());
}

#[test]
fn questions_about_code_are_understood() {
    let asr = asr();
    let mut errors = Errors::default();
    for clip in questions() {
        let heard = asr.transcribe(&clip.samples, &AsrOptions::default(), &mut go_on).unwrap();
        println!("{:24} {:?}", clip.name, heard.text);
        errors.add(Errors::of(&clip.words, &heard.text));
    }
    println!("questions: {:.1} % of {} words wrong", errors.percent(), errors.said);
    assert!(errors.percent() < 10.0, "{} %", errors.percent());
}

/// A name can be spelled in many ways; the way that is expected wins.
#[test]
fn expected_words_are_spelled_as_expected() {
    let asr = asr();
    let clip = clips().into_iter().find(|clip| clip.name == "austen-0870.wav").unwrap();
    let spelled = |vocabulary: &str| {
        let options = AsrOptions { vocabulary: vocabulary.to_owned(), ..AsrOptions::default() };
        asr.transcribe(&clip.samples, &options, &mut go_on).unwrap().text
    };
    assert!(spelled("").contains("John Dashwood "));
    let text = spelled("The story is about Jon Dashwoode.");
    assert!(text.contains("Jon Dashwoode "), "{text}");
}

#[test]
fn where_nobody_speaks_nothing_is_said() {
    let asr = asr();
    let hum: Vec<f32> = (0..48_000).map(|i| 0.1 * (i as f32 * 0.05).sin()).collect();
    for samples in
        [silence(0.0), silence(0.05), silence(3.0), noise(3.0, 0.01), noise(6.0, 0.2), hum]
    {
        let heard = asr.transcribe(&samples, &AsrOptions::default(), &mut go_on).unwrap();
        println!("{:.2} s: {heard:?}", samples.len() as f32 / EAR_RATE as f32);
        // A recogniser makes things up; what matters is that it says so.
        let unsure = heard.no_speech > 0.5 || heard.log_probability < -0.8;
        assert!(heard.text.is_empty() || unsure, "{heard:?}");
        assert!(heard.text.len() < 60, "{heard:?}");
    }
}

/// All clips in a row: more than a window holds.
#[test]
fn long_speech_is_heard_to_its_end() {
    let asr = asr();
    let (mut samples, mut said) = (Vec::new(), String::new());
    for clip in clips().into_iter().chain(questions()) {
        samples.extend(clip.samples);
        samples.extend(silence(0.4));
        said.push_str(&clip.words);
        said.push_str(". ");
    }
    assert!(samples.len() > 40 * EAR_RATE as usize);
    let heard = asr.transcribe(&samples, &AsrOptions::default(), &mut go_on).unwrap();
    let errors = Errors::of(&said, &heard.text);
    println!("long: {:.1} % of {} words wrong: {}", errors.percent(), errors.said, heard.text);
    assert!(errors.percent() < 15.0, "{} %: {}", errors.percent(), heard.text);
}

#[test]
fn a_transcription_stops_when_it_is_told_to() {
    let asr = asr();
    let clip = clips().remove(0);
    // Before the first layer, between layers, between words.
    for allowed in [0, 3, 10] {
        let mut asked = 0;
        let outcome = asr.transcribe(&clip.samples, &AsrOptions::default(), &mut || {
            asked += 1;
            if asked > allowed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(outcome, Err(AsrError::Cancelled)), "{outcome:?}");
        assert_eq!(asked, allowed + 1);
    }
}

#[test]
fn an_unknown_language_is_refused_by_name() {
    let options = AsrOptions { language: "english".to_owned(), ..AsrOptions::default() };
    let error = asr().transcribe(&silence(1.0), &options, &mut go_on).unwrap_err();
    assert!(error.to_string().contains("\"english\""), "{error}");
}

fn go_on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}
