"""A server of the tiny model in a thread of its own, and a plain HTTP client."""

import http.client
import json
import socket
import threading
import time
from urllib.parse import quote, urlencode

import uvicorn

from data_pipeline.media import LiveMp4
from data_pipeline.remux import ordinary_mp4
from data_pipeline.uploads import read_upload
from nwt_tf.serving import web
from nwt_tf.serving.jobs import Jobs
from nwt_tf.serving.making import Limits, Media
from nwt_tf.serving.server import Studio, make_app

LIMITS = Limits(seconds=4, megabytes=0.5, characters=60, waiting=1, timeout=600, upload_seconds=60)
HOSTNAMES = ["127.0.0.1", "localhost"]


class Serving:
    """A context manager.

    Args:
        model: an AudioToVideo.
        speak: see Media.
        fields: of LIMITS, changed.
    """

    def __init__(self, model, speak=None, **fields):
        limits = LIMITS._replace(**fields)
        media = Media(read_upload, speak, LiveMp4, ordinary_mp4)
        self.jobs = Jobs(limits.waiting, limits.timeout)
        self.app = make_app(
            Studio(model, "tiny & <b>small</b>", "# Card", media, limits, self.jobs), HOSTNAMES
        )
        self._listening = web.listen("127.0.0.1", 0)
        self.port = self._listening.getsockname()[1]
        self.url = web.address(self._listening) + "/"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="critical"))
        run = {"sockets": [self._listening]}
        self._thread = threading.Thread(target=self._server.run, kwargs=run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.jobs.close()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def ask(self, method, path, body=None, headers=None, **query):
        """Sends exactly this; returns (status, headers, body as bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        if query:
            path = f"{path}?{urlencode(query, quote_via=quote)}"
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data

    def refused(self, method, path, body=None, headers=None, **query):
        """(status, error in words) of a request that must fail."""
        status, told, data = self.ask(method, path, body, headers, **query)
        assert told["content-type"] == "application/json", data
        answer = json.loads(data)
        assert set(answer) == {"error"} and "Traceback" not in answer["error"]
        return status, answer["error"]

    def begin(self, path, body):
        """Sends a request and waits for nothing; returns its socket."""
        link = socket.create_connection(("127.0.0.1", self.port), timeout=300)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        link.sendall(head.encode() + body)
        return link

    def wait(self, true, seconds=100):
        """Until a function is true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end
            time.sleep(0.01)
