"""`nwt serve` as a user types it: what is refused at once, and a server that comes and goes."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys

import av
import numpy as np
import pytest

from data_pipeline.synthetic_voice import synthesize_voice
from nwt_tf.bin import nwt, serve
from nwt_tf.serving import web
from nwt_tf.serving.making import Limits
from tests.data_pipeline.test_uploads import wav
from tests.generation import tiny_task


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    tiny_task.make().save_to_preset(folder, "Who made it.")
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--preset must be given"),
        (["--preset=/nowhere"], "No preset at /nowhere"),
        (["--preset=x", "--port=70000"], "port=70000"),
        (["--preset=x", "--queue=-1"], "queue=-1"),
        (["--preset=x", "--max_seconds=nan"], "--max_seconds=nan must be a finite number"),
        (["--preset=x", "--timeout=inf"], "--timeout=inf must be a finite number"),
        (["--preset=x", "--max_second=3"], "unknown flag --max_second; did you mean"),
        (["--preset=x", "--precision=float8"], "precision"),
    ],
)
def test_bad_flags_are_one_line(capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        nwt.main(["serve", *arguments])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and words in error and error.count("\n") == 1


def test_a_slow_machine_hears_what_it_will_not_do_in_time():
    limits = Limits(seconds=60.0, timeout=300.0)
    assert serve.pace(10.04, 25.0, limits) == "10.0 frames a second, 0.40 of real time"
    assert serve.pace(4.0, 25.0, limits) == (
        "4.0 frames a second, 0.16 of real time; of the 60 s of sound that it takes "
        "(--max_seconds), about 48 are done in 300 s (--timeout)"
    )


def test_a_taken_port_shows_before_the_preset_is_loaded(preset, capsys, monkeypatch):
    monkeypatch.setattr(serve, "open_studio", lambda: pytest.fail("loaded"))
    with web.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as stop:
            nwt.main(["serve", f"--preset={preset}", f"--port={port}"])
    assert stop.value.code == 2
    assert f"cannot listen at 127.0.0.1:{port}" in capsys.readouterr().err


def test_text_is_spoken_as_data_alone(tmp_path, monkeypatch):
    """What a stranger types never becomes an option of the program that speaks it."""
    script = tmp_path / "speak.py"
    script.write_text(
        "import sys, shutil\n"
        f"open({str(tmp_path / 'said')!r}, 'w').write(repr(sys.argv[1:]))\n"
        f"shutil.copy({str(tmp_path / 'voice.wav')!r}, sys.argv[2])\n"
    )
    (tmp_path / "voice.wav").write_bytes(wav(synthesize_voice(0.5, seed=0).waveform))
    serve.FLAGS.unparse_flags()
    program = f"{sys.executable} {script} {{text}} {{wav}}"
    serve.FLAGS(["serve", "--preset=x", f"--tts_command={program}"])
    assert abs(len(serve.voice("-w /etc/passwd; $(ls)")) - 12_000) < 100
    assert (tmp_path / "said").read_text().startswith("[' -w /etc/passwd; $(ls)', '/")
    script.write_text("import sys\nsys.exit('a secret')\n")
    with pytest.raises(ValueError, match="^The text could not be spoken"):
        serve.voice("hello")


@contextlib.contextmanager
def serving(preset, *flags):
    """A server in a process of its own: (process, HTTP connection, lines that it printed)."""
    command = [sys.executable, "-m", "nwt_tf.bin.nwt", "serve", f"--preset={preset}", "--port=0"]
    server = subprocess.Popen(
        [*command, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": os.pathsep.join(sys.path)},
        # A shell's background jobs ignore SIGINT, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        printed = [server.stdout.readline() for _ in range(3)]
        found = re.search(r"serving at http://127\.0\.0\.1:(\d+)/ ", printed[2])
        assert found, printed + [server.stderr.read()]
        yield server, http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=120), printed
    finally:
        server.kill()


def interrupted(server):
    """Waits for the end of a server that was interrupted; its last words are one line, without a
    traceback, and without uvicorn's words for answers that it cancelled or that had no end."""
    _, errors = server.communicate(timeout=60)
    assert server.returncode == 130
    assert errors.splitlines()[-1] == "nwt serve: interrupted"
    assert not re.search("Traceback|Exception|Cancel|ASGI", errors), errors


def test_it_serves_until_it_is_interrupted(preset):
    with serving(preset, "--title=A & B", "--max_seconds=5") as (server, link, printed):
        assert printed[1].startswith("A & B: ")
        link.request("GET", "/v1/preset")
        told = json.loads(link.getresponse().read())
        assert (told["preset"], told["card"].strip()) == ("A & B", "Who made it.")
        assert told["limits"]["seconds"] == 5
        link.request("POST", "/v1/video?seed=2", wav(synthesize_voice(1.0, seed=0).waveform))
        with av.open(io.BytesIO(link.getresponse().read())) as mp4:
            assert mp4.streams.video[0].frames == 25
        link.close()
        server.send_signal(signal.SIGINT)
        interrupted(server)


def test_an_interrupt_tells_those_who_wait_for_videos(preset):
    with serving(preset, "--max_seconds=1000", "--max_megabytes=50") as (server, link, _):
        waiting = http.client.HTTPConnection(link.host, link.port, timeout=120)
        sound = wav(np.tile(synthesize_voice(10.0, seed=0).waveform, 90))
        link.request("POST", "/v1/events", sound)
        made = link.getresponse()
        while json.loads(made.readline())["event"] != "frames":
            pass
        waiting.request("POST", "/v1/video", sound)
        health = http.client.HTTPConnection(link.host, link.port, timeout=120)
        taken = 1
        while taken < 2:
            health.request("GET", "/v1/health")
            taken = json.loads(health.getresponse().read())["taken"]
        health.close()
        server.send_signal(signal.SIGINT)
        last = json.loads(made.read().splitlines()[-1])
        words = {"error": "The server ended before the video was done."}
        assert last == {"event": "error", "status": 503, **words}
        answer = waiting.getresponse()
        assert (answer.status, json.loads(answer.read())) == (503, words)
        link.close(), waiting.close()
        interrupted(server)
