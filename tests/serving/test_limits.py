"""What a server does under load and when things go wrong: places, deadlines, clients that leave."""

import asyncio
import http.client
import json
import socket
import time

import pytest

from nwt_tf.serving import making
from nwt_tf.serving.film import Event
from tests.data_pipeline.test_uploads import wav
from tests.generation import tiny_task
from tests.serving.studio import Serving

FORMS = ("/v1/video", "/v1/stream", "/v1/events")


@pytest.fixture(scope="module")
def model():
    return tiny_task.make(chunk_frames=8)


@pytest.fixture(scope="module")
def sound():
    return wav(tiny_task.noise(1.2))


def test_the_line_is_bounded(model, sound, monkeypatch):
    """Two requests have places; a third is told so, and its sound is not read."""
    with Serving(model) as serving:
        monkeypatch.setattr(making, "film", lambda *arguments: endless(arguments[-1]))
        links = [serving.begin("/v1/stream", sound) for _ in range(2)]
        serving.wait(lambda: serving.jobs.taken == 2)
        for _ in range(2):
            status, headers, data = serving.ask("POST", "/v1/video", sound)
            assert status == 503 and headers["retry-after"]
            assert "2 videos are being made or wait already" in json.loads(data)["error"]
        assert json.loads(serving.ask("GET", "/v1/health")[2])["taken"] == 2
        for link in links:
            link.close()
        serving.wait(lambda: serving.jobs.taken == 0)
        monkeypatch.undo()
        assert serving.ask("POST", "/v1/video", sound)[0] == 200


def endless(check, ended=None):
    try:
        while True:
            check()
            time.sleep(0.01)
            yield Event("frames", {"frames": 1}, b"x" * 1000)
    finally:
        if ended is not None:
            ended.append(True)


@pytest.mark.parametrize("path", FORMS)
def test_a_client_that_goes_away_stops_its_video(model, sound, monkeypatch, path):
    ended = []
    monkeypatch.setattr(making, "film", lambda *arguments: endless(arguments[-1], ended))
    with Serving(model) as serving:
        link = serving.begin(path, sound)
        serving.wait(lambda: serving.jobs._running is not None)
        if path != "/v1/video":
            assert link.recv(100)
        assert not ended
        link.close()
        serving.wait(lambda: ended and serving.jobs.taken == 0)


def test_a_client_that_reads_no_more_loses_its_place(model, sound, monkeypatch):
    monkeypatch.setattr(making.answers, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(
        making,
        "film",
        lambda *arguments: (Event("frames", {"frames": n}, b"x" * 500_000) for n in range(200)),
    )
    with Serving(model) as serving:
        link = serving.begin("/v1/stream", sound)
        serving.wait(lambda: serving.jobs.taken == 1)
        serving.wait(lambda: serving.jobs.taken == 0)
        link.close()


def test_a_sound_that_trickles_is_refused(model):
    with Serving(model, upload_seconds=0.3) as serving:
        link = socket.create_connection(("127.0.0.1", serving.port), timeout=100)
        link.sendall(
            b"POST /v1/video HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nRIFF"
        )
        answer = http.client.HTTPResponse(link)
        answer.begin()
        assert answer.status == 408 and b"did not arrive within 0.3" in answer.read()
        link.close()
        serving.wait(lambda: serving.jobs.taken == 0)


def test_a_video_that_takes_too_long(model, sound, monkeypatch):
    monkeypatch.setattr(making, "film", lambda *arguments: slow(arguments[-1]))
    with Serving(model, timeout=0.2) as serving:
        status, error = serving.refused("POST", "/v1/video", sound)
        assert status == 422 and "took longer than 0.2 seconds" in error
        last = json.loads(serving.ask("POST", "/v1/events", sound)[2].splitlines()[-1])
        assert last["event"] == "error" and "took longer than" in last["error"]


def slow(check):
    yield Event("start", {})
    while True:
        check()
        time.sleep(0.01)


def test_a_bug_is_no_secret_and_no_traceback(model, sound, monkeypatch, caplog):
    def broken(*arguments):
        raise KeyError("/a/secret/path")
        yield

    monkeypatch.setattr(making, "film", broken)
    with Serving(model) as serving:
        status, error = serving.refused("POST", "/v1/stream", sound)
        assert status == 500 and "secret" not in error
        assert "/a/secret/path" in caplog.text
        monkeypatch.undo()
        assert serving.ask("POST", "/v1/video", sound)[0] == 200


def test_a_stream_that_fails_late_breaks_off(model, sound, monkeypatch):
    def late(*arguments):
        yield Event("frames", {"frames": 1}, b"first")
        raise ValueError("no more")

    monkeypatch.setattr(making, "film", late)
    with Serving(model) as serving:
        link = serving.begin("/v1/stream", sound)
        link.settimeout(100)
        answer = b""
        while part := link.recv(10_000):
            answer += part
        link.close()
        assert b"first" in answer and not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("stalls", ["sound", "client"])
def test_what_is_cancelled_at_the_end_is_no_bug(model, sound, monkeypatch, stalls):
    """uvicorn cancels what its farewell was too short for, and logs what a request raises."""
    monkeypatch.setattr(making, "film", lambda *arguments: endless(arguments[-1]))
    scope = {"type": "http", "method": "POST", "path": "/v1/stream", "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost")], "http_version": "1.1"}
    sent = []

    async def scenario():
        never, stalled = asyncio.Event(), asyncio.Event()
        parts = [{"type": "http.request", "body": sound, "more_body": stalls == "sound"}]

        async def receive():
            if parts:
                return parts.pop()
            if stalls == "sound":
                stalled.set()
            await never.wait()

        async def send(message):
            sent.append(message)
            if stalls == "client":
                stalled.set()
                await never.wait()

        request = asyncio.create_task(serving.app(scope, receive, send))
        await asyncio.wait_for(stalled.wait(), 60)
        request.cancel()
        await asyncio.wait_for(request, 10)

    with Serving(model) as serving:
        asyncio.run(scenario())
        assert sent[0]["status"] == (503 if stalls == "sound" else 200)
        assert serving.jobs.taken == 0
