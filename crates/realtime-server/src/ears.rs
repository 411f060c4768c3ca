//! A session's listener for voice activity, fed as fast as it can judge.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::services::{Hearing, ServiceError, Services};

/// Sound given to the listener and not judged yet, at most: ten seconds. More would only wait
/// in its socket, and its answers in ours.
const AHEAD: usize = 10 * audio_dsp::SPEECH_HZ as usize;

/// Given at a time.
const PIECE: usize = audio_dsp::SPEECH_HZ as usize;

/// Samples of one verdict.
const FRAME: usize = 512;

/// Listens until the session hangs up. Verdicts are in order and without gaps; an error is
/// the last thing said.
pub(crate) async fn listen<S: Services>(
    services: &S,
    mut sound: mpsc::Receiver<Vec<i16>>,
    verdicts: mpsc::Sender<Result<Vec<f32>, ServiceError>>,
) {
    if let Err(error) = try_listen(services, &mut sound, &verdicts).await {
        // The session may have hung up already; then nobody has to know.
        drop(verdicts.send(Err(error)).await);
    }
}

async fn try_listen<S: Services>(
    services: &S,
    sound: &mut mpsc::Receiver<Vec<i16>>,
    verdicts: &mpsc::Sender<Result<Vec<f32>, ServiceError>>,
) -> Result<(), ServiceError> {
    let mut hearing = services.hear().await?;
    let mut waiting: VecDeque<i16> = VecDeque::new();
    let mut ahead = 0;
    loop {
        while !waiting.is_empty() && ahead < AHEAD {
            let piece: Vec<i16> = waiting.drain(..waiting.len().min(PIECE)).collect();
            hearing.push(&piece).await?;
            ahead += piece.len();
        }
        tokio::select! {
            biased;
            probabilities = hearing.next(), if FRAME <= ahead => {
                let probabilities = probabilities?;
                ahead = ahead.saturating_sub(probabilities.len() * FRAME);
                if verdicts.send(Ok(probabilities)).await.is_err() {
                    return Ok(());
                }
            }
            pcm = sound.recv(), if waiting.is_empty() => match pcm {
                Some(pcm) => waiting.extend(pcm),
                None => return Ok(()),
            },
        }
    }
}
