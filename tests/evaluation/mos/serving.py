"""The real server in a process of its own, and a plain HTTP client."""

import http.client
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import nwt_tf

ROOT = Path(nwt_tf.__file__).parents[1]


class Serving:
    """`nwt mos --action=serve` on a free port. A context manager.

    Args:
        folder: the survey's.
        port: 0 takes a free one.
    """

    def __init__(self, folder, port=0):
        command = [sys.executable, "-m", "nwt_tf.bin.nwt", "mos", "--action=serve"]
        command += [f"--survey={folder}", f"--port={port}"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line + self.process.stderr.read()
        self.port = int(found[1])
        self.url = found[0]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()

    def kill(self, number=signal.SIGKILL):
        """Ends the process; returns what it wrote to stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return errors

    def ask(self, method, path, body=None, token=None, headers=None):
        """Sends exactly this; returns (status, headers, body as text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, dict | list):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, dict(answer.getheaders()), text

    def json(self, method, path, body=None, token=None):
        """The answer's status and JSON."""
        status, _, text = self.ask(method, path, body, token)
        return status, json.loads(text)
