"""Chromium without a window, driven over the DevTools protocol on a pipe: nothing to install."""

import fcntl
import json
import os
import select
import shutil
import signal
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOUND = next(filter(None, map(shutil.which, NAMES)), None)
_SECONDS = 60  # for any answer
# As root its audio threads get real-time priority: where cores are busy they may starve the rest.
_SETPRIV = shutil.which("setpriv") if os.geteuid() == 0 else None
_UNPRIVILEGED = (_SETPRIV, "--bounding-set=-sys_nice") if _SETPRIV else ()


class Browser:
    """One page in a fresh profile. A context manager.

    Args:
        folder: For the profile and for downloads (`folder/downloads`).
        size: Of the window, in pixels.
        further: Command-line arguments.
    """

    def __init__(self, folder, size=(1440, 900), further=()):
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        self.errors = []  # what the page's script or console complained about
        self.requests = []  # addresses that the page asked for
        arguments = [
            *_UNPRIVILEGED,
            *(FOUND, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-dev-shm-usage", "--disable-background-networking", "--mute-audio"),
            *("--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"),
            *further,
        ]
        # Chromium reads commands from file 3 and answers on file 4.
        pipes = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (*os.pipe(), *os.pipe())]
        theirs_in, self._out, self._in, theirs_out = pipes
        nowhere = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, nowhere, number) for number in (0, 1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        self._process = os.posix_spawn(
            arguments[0], arguments, os.environ, file_actions=actions, setpgroup=0
        )
        for end in (theirs_in, theirs_out, nowhere):
            os.close(end)
        self._number, self._buffer, self._session = 0, b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.resize(*size)
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._in)
        os.close(self._out)

    def call(self, method, **parameters):
        """Sends a command and returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._event(answer)

    def _read(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], _SECONDS)
            assert ready, "Chromium does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "Chromium has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _event(self, event):
        method, facts = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(facts["exceptionDetails"]["exception"]["description"])
        elif method == "Log.entryAdded" and facts["entry"]["level"] == "error":
            self.errors.append(facts["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])

    def resize(self, width, height, dark=False):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, place, before=""):
        """Opens a local file or a URL; `before` is script that runs before the page's own."""
        if before:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        self._go("Page.navigate", url=place if isinstance(place, str) else place.as_uri())

    def reload(self):
        """Reloads the page, as a person does."""
        self._go("Page.reload")

    def _go(self, method, **parameters):
        self("window.left = true")
        self.call(method, **parameters)
        self.wait("!window.left && document.readyState === 'complete'")
        # Chromium drops input that comes before a page's first picture.
        self("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")

    def __call__(self, script):
        """The value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script):
        """Until an expression is true."""
        end = time.monotonic() + _SECONDS
        while not self(script):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.05)

    def keys(self, *keys):
        """Presses keys, by their name in KeyboardEvent.key."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def point(self, selector):
        """Moves the mouse over the first such element, and returns its place."""
        element = f"document.querySelector({json.dumps(selector)})"
        self(f"{element}.scrollIntoViewIfNeeded()")
        box = f"{element}.getBoundingClientRect()"
        left, top, width, height = self(f"(b => [b.x, b.y, b.width, b.height])({box})")
        place = {"x": left + width / 2, "y": top + height / 2}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        return place

    def click(self, selector):
        place = self.point(selector)
        for kind in ("mousePressed", "mouseReleased"):
            button = {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, **button, **place)

    def choose_file(self, selector, path):
        """Gives a file input a file."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)
