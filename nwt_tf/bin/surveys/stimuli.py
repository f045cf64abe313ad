"""The clips of a listening test: found, altered as Appendix E asks, and written for browsers."""

import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline.media import decode_frames, index_frames, probe, read_audio, write_mp4
from data_pipeline.resample import PictureScaler, at_constant_rate, num_output_frames
from data_pipeline.videos import VIDEO_SUFFIXES
from data_pipeline.workers import Progress, WorkerPool, available_cores, count
from nwt_tf.evaluation.mos.protocol import SCORES
from nwt_tf.evaluation.mos.survey import Stimulus

SAMPLE_RATE = 48000
_CRF = 14  # of x264: visually lossless, for every system alike
_NOISY_CRF = 28  # noise coded that well would take ten times the space of a clip
_WORDS = ("one", "two", "three", "four", "five")
_ADVICE = (
    "install espeak-ng (for example `apt-get install espeak-ng`), or record someone who asks for a "
    "score instead of a rating, as 1.wav to 5.wav (one is enough), and give --trap_speech=FOLDER"
)


def find_clips(folder: str | os.PathLike) -> dict[str, dict[str, Path]]:
    """Finds the systems' clips: FOLDER/SYSTEM/CLIP.mp4 or FOLDER/SYSTEM/EPISODE/CLIP.mp4.

    Returns:
        {system: {clip: file}}; a clip's name is its path in its system's folder, without suffix.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: fewer than two systems, or two files of one clip.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    systems = {}
    for system in sorted(path for path in folder.iterdir() if path.is_dir()):
        clips = {}
        for path in sorted(system.rglob("*")):
            if path.suffix.lower() not in VIDEO_SUFFIXES or path.name.startswith("."):
                continue
            name = path.relative_to(system).with_suffix("").as_posix()
            if name in clips:
                raise ValueError(f"{path}: the clip {name} is there twice, as {clips[name].name}")
            clips[name] = path
        if clips:
            systems[system.name] = clips
    if len(systems) < 2:
        raise ValueError(
            f"{folder}: holds {len(systems)} folders with videos; a survey compares at least two "
            "systems, each in a folder of its name, with the same clips' names"
        )
    return systems


def fingerprint(path: Path) -> str:
    """Changes when a file does."""
    facts = path.stat()
    return f"{path.name} {facts.st_size} {facts.st_mtime_ns}"


def trap_voices(folder: str | None, language: str, target: Path) -> dict[int, Path]:
    """Sound that asks for a score, of each score there is one for.

    Args:
        folder: with N.wav for scores N; None speaks through espeak-ng.
        language: of the raters; espeak-ng's sentence is English.
        target: folder for what espeak-ng speaks.

    Raises:
        ValueError: no sounds in the folder, or no espeak-ng and no folder.
    """
    if folder:
        voices = {score: Path(folder) / f"{score}.wav" for score in SCORES}
        voices = {score: path for score, path in voices.items() if path.is_file()}
        if not voices:
            raise ValueError(f"--trap_speech={folder}: holds none of 1.wav to 5.wav")
        return voices
    program = shutil.which("espeak-ng")
    if program is None:
        raise ValueError(f"The traps need a voice: {_ADVICE}")
    if language != "English":
        raise ValueError(
            f"The spoken instruction is English, the raters' language {language}: "
            "record it in theirs and give --trap_speech=FOLDER"
        )
    voices = {}
    for score, word in zip(SCORES, _WORDS, strict=True):
        text = (
            "Attention. Please do not rate this video. "
            f"Instead, choose the score {word}. Again: choose the score {word}."
        )
        voices[score] = target / f"{score}.wav"
        command = [program, "-v", "en", "-s", "145", "-w", str(voices[score]), text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode or not voices[score].is_file():
            raise OSError(f"espeak-ng failed ({done.stderr.strip()[:200]}): {_ADVICE}")
    return voices


def write_stimulus(
    source: str | os.PathLike,
    path: str | os.PathLike,
    stimulus: Stimulus,
    voice: str | os.PathLike | None = None,
) -> None:
    """Writes a stimulus as mp4: every system's clips go the same way, so that none stands out.

    The picture keeps its size and rate; an upper view is the share of its rows that the
    stimulus keeps, rounded to an even number. The sound is
    as long as the picture. A trap's picture starts again until its voice has ended.

    Args:
        source: the system's clip.
        path: mp4 to write.
        stimulus: what to make of it.
        voice: sound of a trap.

    Raises:
        FileNotFoundError, ValueError: no such clip, or one without picture or sound.
    """
    info = probe(source, require=("video",) if voice else ("video", "audio"))
    index = index_frames(source)
    start, end = float(index.times[0]), float(index.times[-1]) + index.frame_seconds
    fps = min(info.fps or 1 / index.frame_seconds, 60.0)
    length = max(1, num_output_frames(start, end, fps))
    rows = info.height
    if stimulus.keep < 1:
        rows = max(2, round(stimulus.keep * info.height / 2) * 2)
    scale = PictureScaler(rows, info.width, (0, rows, 0, 0))

    def pictures() -> Iterator[np.ndarray]:
        chosen = at_constant_rate(decode_frames(source), start, length, fps)
        return (scale(frame) for frame in chosen)

    if voice:
        sound = read_audio(voice, SAMPLE_RATE)
        wanted = max(length, int(np.ceil(len(sound) / SAMPLE_RATE * fps)))
        rounds = -(-wanted // length)
        frames = itertools.chain.from_iterable(pictures() for _ in range(rounds))
        frames = itertools.islice(frames, wanted)
    else:
        sound = read_audio(source, SAMPLE_RATE)[round(start * SAMPLE_RATE) :]
        wanted, frames = length, pictures()
    sound = delayed(sound, stimulus.shift, round(wanted / fps * SAMPLE_RATE))
    if stimulus.noise:
        frames = noisy(frames, stimulus.noise)
    write_mp4(
        path,
        frames,
        fps,
        sound,
        SAMPLE_RATE,
        comment="clip of a listening test",  # Whoever looks into the file learns nothing.
        crf=_NOISY_CRF if stimulus.noise else _CRF,
    )


def delayed(sound: np.ndarray, seconds: float, length: int) -> np.ndarray:
    """Sound that starts later (seconds < 0: earlier), cut or filled with silence to a length.

    Args:
        sound: float32 [samples], at SAMPLE_RATE.
        seconds: of the delay.
        length: samples of the result.
    """
    shift = round(seconds * SAMPLE_RATE)
    moved = np.zeros(length, np.float32)
    source = sound[max(0, -shift) :][: max(0, length - max(0, shift))]
    begin = max(0, shift)
    moved[begin : begin + len(source)] = source
    return moved


def noisy(frames: Iterator[np.ndarray], deviation: float) -> Iterator[np.ndarray]:
    """Adds Gaussian noise, fresh in every frame and the same in every run.

    Args:
        frames: uint8 [height, width, 3] each.
        deviation: standard deviation, in steps of 255.
    """
    rng = np.random.default_rng(0)
    for frame in frames:
        noise = deviation * rng.standard_normal(frame.shape, np.float32)
        yield np.clip(frame + noise + 0.5, 0, 255).astype(np.uint8)


def write_stimuli(stimuli, sources, voices, folder: Path, num_workers: int | None) -> int:
    """Writes what is not there yet, and removes clips of earlier builds.

    Args:
        stimuli: all of the survey.
        sources: {system: {clip: file}}.
        voices: {score: sound}.
        folder: for the clips.
        num_workers: processes; None: one a core.

    Returns:
        How many were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = {stimulus.name for stimulus in stimuli}
    for path in folder.iterdir():
        if re.fullmatch(r"[0-9a-f]{20}\.mp4(\.\d+)?(\.tmp)?", path.name) and path.name not in names:
            path.unlink()
    tasks = []
    for stimulus in stimuli:
        path, source = folder / stimulus.name, sources[stimulus.system][stimulus.clip]
        if stimulus.role == "trap":  # Its name does not tell whose voice it has: always anew.
            tasks.append((source, path, stimulus, voices[stimulus.score]))
        elif not path.exists():
            tasks.append((source, path, stimulus, None))
    num_workers = max(1, min(num_workers or available_cores(), len(tasks)))
    with WorkerPool(num_workers) as pool:
        for _ in pool.in_order(_write_one, tasks, Progress(len(tasks), "clips")):
            pass
    return len(tasks)


def _write_one(*task) -> None:
    write_stimulus(*task)
    count(1)


def voice_folder() -> tempfile.TemporaryDirectory:
    """A folder for spoken sentences, gone when it is closed."""
    return tempfile.TemporaryDirectory(prefix="nwt_voices_")
