use app_server_protocol::AudioChunk;

fn chunk(data: &str, sample_rate: u32, num_channels: u16, said: Option<u32>) -> AudioChunk {
    AudioChunk {
        data: data.into(),
        sample_rate,
        num_channels,
        samples_per_channel: said,
        item_id: None,
    }
}

#[test]
fn samples_survive_the_wire() {
    let pcm = [0, 1, -1, i16::MAX, i16::MIN];
    let chunk = AudioChunk::new(&pcm, 24_000, None);
    assert_eq!(chunk.data, "AAABAP///38AgA==");
    assert_eq!(chunk.pcm().unwrap(), pcm);
}

#[test]
fn sound_of_another_shape_than_it_says_is_refused() {
    for (chunk, why) in [
        (chunk("AAAA", 24_000, 1, None), "audio.data holds 3 bytes"),
        (chunk("AAAAAAAA", 24_000, 2, None), "audio.data holds 6 bytes"),
        (chunk("AAA=", 24_000, 1, Some(2)), "audio.samplesPerChannel says 2"),
        (chunk("AAA=", 24_000, 0, None), "audio.numChannels is 0"),
        (chunk("AAA=", 24_000, 9, None), "audio.numChannels is 9"),
        (chunk("AAA=", 7_999, 1, None), "audio.sampleRate is 7999"),
        (chunk("??", 24_000, 1, None), "audio.data is not base64"),
    ] {
        let error = chunk.pcm().unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }
}
