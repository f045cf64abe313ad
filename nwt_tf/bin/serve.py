"""Serve a page, and a REST interface, on which any voice makes a video.

The page takes a recording, a file, or words where a text-to-speech program is installed; it plays
the video while it is made. docs/serving.md says what programs can ask, what the limits mean, and
how to put it behind a proxy. Nothing that is sent is kept.

Only this machine can connect, unless --host says otherwise.
"""

import asyncio
import contextlib
import logging
import math
import os
import signal

from absl import flags

from nwt_tf.bin import command
from nwt_tf.bin.generating import speech

LOCAL = ("127.0.0.1", "localhost", "::1")

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "preset", None, "Preset or workdir of a prior.", flag_values=FLAGS, required=True
)
flags.DEFINE_string(
    "title", None, "What the page calls the preset; default: its own name.", flag_values=FLAGS
)
flags.DEFINE_string("host", "127.0.0.1", "Address to listen at.", flag_values=FLAGS)
flags.DEFINE_integer("port", 8000, "Port; 0 takes a free one.", 0, 65535, flag_values=FLAGS)
flags.DEFINE_list(
    "hostnames",
    None,
    "Names that browsers may call this server by; default: this machine's own, or any with --host.",
    flag_values=FLAGS,
)
flags.DEFINE_float("max_seconds", 60.0, "Longest sound.", 1.0, 3600.0, flag_values=FLAGS)
flags.DEFINE_float("max_megabytes", 20.0, "Largest file.", 0.1, 1000.0, flag_values=FLAGS)
flags.DEFINE_integer("max_characters", 1000, "Longest text.", 1, 100_000, flag_values=FLAGS)
flags.DEFINE_integer(
    "queue", 4, "Requests that may wait beside the one whose video is made.", 0, 1000,
    flag_values=FLAGS,
)  # fmt: skip
flags.DEFINE_float("timeout", 300.0, "Seconds that a video may take.", 1.0, flag_values=FLAGS)
flags.DEFINE_float(
    "upload_timeout", 60.0, "Seconds that a sound may take to arrive.", 1.0, flag_values=FLAGS
)
flags.DEFINE_string(
    "tts_command",
    speech.DEFAULT_COMMAND,
    "What speaks text, see `nwt generate`; without it, or empty, the page takes sound alone.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "chunk_frames", 8, "Frames drawn at a time: fewer show the first sooner.", 1, flag_values=FLAGS
)
flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_bfloat16", "bfloat16"], "See `nwt generate`.",
    flag_values=FLAGS,
)  # fmt: skip
flags.DEFINE_enum(
    "sampling", "sequential", ["sequential", "parallel", "auto"], "See `nwt generate`.",
    flag_values=FLAGS,
)  # fmt: skip


def main() -> None:
    from nwt_tf import presets

    try:
        import fastapi  # noqa: F401

        from nwt_tf.serving import web
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is missing: pip install 'nwt_tf[demo]'") from error
    for flag in ("max_seconds", "max_megabytes", "timeout", "upload_timeout"):
        if not math.isfinite(FLAGS[flag].value):  # NaN passes for any bounds.
            raise ValueError(f"--{flag}={FLAGS[flag].value} must be a finite number.")
    presets.locate(FLAGS.preset)
    with web.listen(FLAGS.host, FLAGS.port) as listening:  # What cannot be shows before loading.
        studio = open_studio()
        print("warming up: the first video compiles the models", flush=True)
        rate = warm_up(studio)

        from nwt_tf.serving.server import make_app

        def ready() -> None:
            print(f"{studio.name}: {pace(rate, studio.model.fps, studio.limits)}")
            print(f"serving at {web.address(listening)}/ (Ctrl-C ends it)", flush=True)
            if FLAGS.host not in LOCAL:
                print("everyone who reaches this address can make videos", flush=True)

        app = make_app(studio, hostnames(), lambda app: interruptible(studio.jobs))
        try:
            web.serve(app, listening, ready, farewell_seconds=3)
        finally:
            studio.jobs.close()


@contextlib.asynccontextmanager
async def interruptible(jobs):
    """Within, an interrupt ends all videos at once, and those who wait for them are told.

    uvicorn tells an application that it ends when the last answer has: until then it waits for
    videos, whose requests it cancels in the end, with a traceback each.
    """
    loop = asyncio.get_running_loop()

    def ahead_of(handler):
        def handle(*received):
            loop.call_soon_threadsafe(jobs.close)  # not here, where the line may be locked
            handler(*received)

        return handle

    # They stand ahead of uvicorn's handlers, which puts back what was there before its own.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, ahead_of(signal.getsignal(each)))
    yield


def hostnames() -> list[str] | None:
    """Names that requests may use, see serving.guard; None is any."""
    if FLAGS.hostnames:
        return [*FLAGS.hostnames, *LOCAL, "[::1]"]
    return [*LOCAL, "[::1]"] if FLAGS.host in LOCAL else None


def open_studio():
    """The preset, as the flags want it, and what makes its videos.

    Raises:
        ValueError: no such preset, or one without a prior.
    """
    from nwt_tf import presets

    command.start_tensorflow()
    from data_pipeline.media import LiveMp4
    from data_pipeline.remux import ordinary_mp4
    from data_pipeline.uploads import read_upload
    from nwt_tf.generation.audio_to_video import AudioToVideo
    from nwt_tf.serving.jobs import Jobs
    from nwt_tf.serving.making import Limits, Media
    from nwt_tf.serving.server import Studio

    limits = Limits(
        FLAGS.max_seconds,
        FLAGS.max_megabytes,
        FLAGS.max_characters,
        FLAGS.queue,
        FLAGS.timeout,
        FLAGS.upload_timeout,
    )
    speaks = voice if speech.installed(FLAGS.tts_command) else None
    model = AudioToVideo.from_preset(
        FLAGS.preset, FLAGS.precision, chunk_frames=FLAGS.chunk_frames, sampling=FLAGS.sampling
    )
    card = presets.locate(FLAGS.preset) / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    name = FLAGS.title or os.path.basename(os.path.normpath(FLAGS.preset))
    media = Media(read_upload, speaks, LiveMp4, ordinary_mp4)
    return Studio(model, name, text, media, limits, Jobs(limits.waiting, limits.timeout))


def voice(text: str):
    """What the text-to-speech program says; strangers are not told how it is called.

    Raises:
        ValueError: it failed, in words for whoever sent the text.
    """
    # Behind a space nothing is taken for an option of the program's.
    try:
        return speech.speak(f" {text}", FLAGS.tts_command, seconds=30.0)
    except ValueError as error:
        logging.getLogger("nwt_tf.serving").warning("%s", error)
        raise ValueError("The text could not be spoken. The server's log says why.") from None


def pace(rate: float, fps: float, limits) -> str:
    """What a machine that makes `rate` frames a second of `fps` is told, and what it will not do in
    time."""
    said = f"{rate:.1f} frames a second, {rate / fps:.2f} of real time"
    longest = limits.timeout * rate / fps
    if longest < limits.seconds:
        said += (
            f"; of the {limits.seconds:g} s of sound that it takes (--max_seconds), about "
            f"{longest:.0f} are done in {limits.timeout:g} s (--timeout)"
        )
    return said


def warm_up(studio) -> float:
    """Compiles everything that a video takes, with and without guidance; returns frames a second of
    a later one, drawn as the preset recommends."""
    import numpy as np

    from data_pipeline.mel import SAMPLE_RATE
    from nwt_tf.serving.film import film

    noise = np.float32(0.1 * np.random.default_rng(0).normal(size=2 * SAMPLE_RATE))
    options = {"style": studio.model.style_of("none")}
    other = {"guidance": 1.0 if studio.model.draws.guided else 2.0}
    for more in (other, {}, {}):
        *_, done = film(studio.model, noise, options | more, studio.media)
    return done.facts["frames_per_second"]


if __name__ == "__main__":
    command.run("serve", main, FLAGS, __doc__)
