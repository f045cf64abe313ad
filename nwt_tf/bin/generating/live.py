"""Video while its sound comes, for `nwt generate --stream`: files or pipes in and out."""

import contextlib
import itertools
import sys
import time

import numpy as np

from data_pipeline.media import LiveMp4
from data_pipeline.mel import SAMPLE_RATE
from data_pipeline.pipes import audio_pieces

PIPE = "-"


@contextlib.contextmanager
def printing_aside(output):
    """While the video goes to standard output, what is printed goes to standard error.

    Args:
        output: of the video.

    Yields:
        The path, or the binary file object of standard output.
    """
    if output != PIPE:
        yield output
        return
    pipe = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):
        yield pipe


def pieces(audio):
    """The sound as it comes, an iterator of float32 [n].

    Args:
        audio: path, or '-' for standard input, whose silence is followed like other sound: nobody
            knows what comes.

    Raises:
        ValueError, OSError: while reading, see audio_pieces and audible.
    """
    return _piped() if audio == PIPE else audible(audio_pieces(audio))


def audible(pieces):
    """Sound, once some of it can be heard: so a silent file leaves no video.

    Args:
        pieces: iterator of float [n], at least one.

    Yields:
        The pieces.

    Raises:
        ValueError: all of it is silent.
    """
    from nwt_tf.generation.waveforms import SILENCE, check_audible

    held = []
    for piece in pieces:
        held.append(piece)
        if np.abs(piece).max() >= SILENCE:
            break
    check_audible(np.concatenate(held))
    yield from held
    yield from pieces


def _piped():
    try:
        yield from audio_pieces(sys.stdin.buffer)
    except ValueError as error:
        # An mp4 with its index at the end opens in a pipe, too, and then gives nothing.
        if "without any samples" not in str(error):
            raise
        raise ValueError(
            "--audio=- holds no samples that can be read from a pipe: pipe wav, flac, mp3 or ogg, "
            "or name the file"
        ) from error


def film(session, pieces, target, fps):
    """Generates frames as the sound comes and writes both as they are made.

    The target is opened with the first frame: what fails before leaves what was there.

    Args:
        session: a fresh generation.streaming.Session.
        pieces: iterator of sound, float [n] each.
        target: path or binary file object, see LiveMp4.
        fps: frames a second.

    Returns:
        Figures: frames, seconds and frames_per_second; sound_to_first_frame, seconds of sound that
        were read before the first frame came out, and seconds_to_first_frame, by the clock, from
        the first sound on.

    Raises:
        ValueError, OSError: see audio_pieces, Session.hear and LiveMp4.
    """
    first = next(pieces)  # The clock runs from here on.
    start, delays, frames = time.monotonic(), {}, 0
    made = _made(session, itertools.chain([first], pieces))
    early = [next(made)]
    while early[-1][0] == "sound":
        early.append(next(made))
    with LiveMp4(target, fps) as video:
        for kind, part in itertools.chain(early, made):
            if kind == "sound":
                video.sound(part)
                continue
            video.picture(part)
            frames += 1
            if frames == 1:
                delays["seconds_to_first_frame"] = time.monotonic() - start
                delays["sound_to_first_frame"] = session.received / SAMPLE_RATE
    seconds = time.monotonic() - start
    rate = {"seconds": seconds, "frames_per_second": frames / seconds}
    return {"frames": frames, **rate, **delays}


def _made(session, pieces):
    """Yields ("sound", piece) as it comes, and ("picture", frame) as soon as there is one."""
    for piece in pieces:
        yield "sound", piece
        for picture in session.push(piece):
            yield "picture", picture
    for picture in session.finish():
        yield "picture", picture
