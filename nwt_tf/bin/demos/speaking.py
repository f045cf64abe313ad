"""`nwt demo` without a training: the shipped preset and a voice, an mp4 and its contact sheet."""

from typing import NamedTuple

import numpy as np

from data_pipeline.media import read_audio, write_mp4
from nwt_tf.bin.generating import contact_sheet
from nwt_tf.evaluation import lipsync
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.layers.mel import align_mel
from nwt_tf.presets import SHIPPED

PRESET = "grid-s1"
VOICE = SHIPPED / "voice.wav"  # espeak-ng says a sentence of the corpus' words
LIPS = (0.6, 0.94, 0.25, 0.6)  # where the preset's subject has them: top, bottom, left, right


class Spoken(NamedTuple):
    """A voice and what was generated from it."""

    waveform: np.ndarray  # float32 [N], 24 kHz
    mel: np.ndarray  # float32 [4 T, 80], what each frame hears
    video: np.ndarray  # uint8 [T, H, W, 3]
    fps: float


def speak(audio=None, episode="none", seed=0):
    """Sound to video, with the preset that ships with the package; writes nothing.

    Args:
        audio: any file with sound; None is a sentence that comes with the package.
        episode: whose look, of the preset's.
        seed: of the draws.

    Returns:
        A Spoken.

    Raises:
        ValueError: for a file without sound, or too little of it, or no such episode.
    """
    audio = audio or VOICE
    waveform = read_audio(audio, whole=True)
    model = AudioToVideo.from_preset(PRESET)
    try:
        model.check(waveform)
    except ValueError as error:
        raise ValueError(f"--audio={audio}: {error}") from error
    video = model.generate(waveform, episode=episode, seed=seed)
    mel = align_mel(model.mel(waveform[None]), len(video), model.fps)[0].numpy()
    return Spoken(waveform, mel, video, model.fps)


def write(folder, spoken):
    """The mp4 and its contact sheet.

    Args:
        folder: a pathlib.Path to write into.
        spoken: a Spoken.

    Returns:
        Figures: mp4, contact_sheet, frames, mouth_sound_correlation.
    """
    waveform, mel, video, fps = spoken
    mp4 = folder / "demo.mp4"
    write_mp4(mp4, map(contact_sheet.enlarged, video), fps, waveform)
    print(f"wrote {mp4}: {len(video)} frames with their sound")
    sheet = folder / "contact_sheet.png"
    lips = lipsync.cut_out(lipsync.grey(video), LIPS)
    contact_sheet.draw(sheet, [panel(video, lipsync.motion(lips), mel, fps)])
    print(f"wrote {sheet}")
    moved = lipsync.local_motion(lips, fps)
    heard = lipsync.local(lipsync.sound_change(mel), fps)
    return {
        "mp4": mp4,
        "contact_sheet": sheet,
        "frames": len(video),
        "mouth_sound_correlation": float(lipsync.correlation(moved, heard)),
    }


def panel(video, moved, mel, fps):
    """The frames, and the lips enlarged, over the sound.

    Args:
        video: uint8 [T, H, W, 3].
        moved: float [T - 1], motion of the lips.
        mel: float32 [4 T, 80], what each frame hears.
        fps: frames a second.

    Returns:
        contact_sheet.Panel.
    """
    loudness = mel.reshape(len(video), -1).mean(axis=1)
    loudness = loudness - loudness.min()
    return contact_sheet.Panel(
        title="Generated from a voice that the model has never heard",
        videos={"video": video, "lips": close_up(video)},
        mel=mel,
        curves={
            "loudness": loudness / max(loudness.max(), 1e-6),
            "motion of the lips": np.append(moved, 0.0) / max(moved.max(), 1e-6),
        },
        fps=fps,
        curves_label="beside\neach other",
    )


def close_up(video):
    """The lips at the size of the whole: uint8 [T, H, W, 3], likewise."""
    parts = lipsync.cut_out(video, LIPS)
    return np.stack([contact_sheet.resized(part, *video.shape[1:3]) for part in parts])
