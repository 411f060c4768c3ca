//! Telephone samples: one byte each, 8 kHz (ITU-T G.711).
//!
//! Decoding is exact; encoding picks the nearest code, so `encode(decode(code))` is `code`
//! but for the two zeros of mu-law.

/// Samples a second of telephone sound.
pub const G711_HZ: u32 = 8_000;

/// What the mu-law adds before it takes the logarithm, so that small samples have a segment.
const BIAS: i32 = 0x84;

/// The loudest sample that mu-law can say.
const CLIP: i32 = 32_635;

pub fn decode_ulaw(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let step = i32::from(code & 0x0F);
    let magnitude = (((step << 3) + BIAS) << segment) - BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

pub fn encode_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    // The place of the leading one, from 7 (0x84) to 14.
    let segment = (31 - magnitude.leading_zeros()).saturating_sub(7);
    let step = (magnitude >> (segment + 3)) & 0x0F;
    !(sign | (segment as u8) << 4 | step as u8)
}

pub fn decode_alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = i32::from(code & 0x0F);
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

pub fn encode_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = match sample {
        0.. => (0x80, i32::from(sample)),
        // Minus one step, so that -1 falls into the segment of the small ones.
        _ => (0, -i32::from(sample) - 1),
    };
    let code = match magnitude {
        ..256 => magnitude >> 4,
        _ => {
            let segment = 31 - magnitude.leading_zeros() - 7;
            (segment << 4) as i32 | (magnitude >> (segment + 3)) & 0x0F
        }
    };
    (sign | code as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the standard's tables.
    #[test]
    fn known_codes() {
        assert_eq!(decode_ulaw(0xFF), 0);
        assert_eq!(decode_ulaw(0x80), 32_124);
        assert_eq!(decode_ulaw(0x00), -32_124);
        assert_eq!(encode_ulaw(0), 0xFF);
        assert_eq!(decode_alaw(0xD5), 8);
        assert_eq!(decode_alaw(0x55), -8);
        assert_eq!(decode_alaw(0xAA), 32_256);
        assert_eq!(decode_alaw(0x2A), -32_256);
        assert_eq!(encode_alaw(0), 0xD5);
    }

    #[test]
    fn every_code_survives() {
        for code in 0..=255 {
            assert_eq!(encode_alaw(decode_alaw(code)), code, "A-law {code:#x}");
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(encode_ulaw(decode_ulaw(code)), expected, "mu-law {code:#x}");
        }
    }

    /// Half a step of a segment is at most 1/32 of the sample (plus the smallest step).
    #[test]
    fn every_sample_comes_back_nearly() {
        for sample in i16::MIN..=i16::MAX {
            let wide = i32::from(sample);
            let clipped = wide.clamp(-32_124, 32_124);
            let bound = wide.abs() / 31 + 9;
            let ulaw = i32::from(decode_ulaw(encode_ulaw(sample)));
            assert!((ulaw - clipped).abs() <= bound, "mu-law {sample} -> {ulaw}");
            let alaw = i32::from(decode_alaw(encode_alaw(sample)));
            assert!((alaw - wide).abs() <= bound, "A-law {sample} -> {alaw}");
        }
    }
}
