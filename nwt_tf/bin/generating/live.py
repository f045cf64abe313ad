"""Video while its sound comes, for `nwt generate --stream`: files or pipes in and out."""

import contextlib
import itertools
import sys
import time

from data_pipeline.media import LiveMp4
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
    """The sound as it comes, an iterator of float32 [n]; of a path, or '-' for standard input."""
    return audio_pieces(sys.stdin.buffer if audio == PIPE else audio)


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
                delays["sound_to_first_frame"] = session.received / 24_000
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
