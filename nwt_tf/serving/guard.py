"""Around a whole application: who may ask, how much may be sent, the headers of every answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nwt_tf.serving.web import HEADERS, refusal


class Guard:
    """Refuses what other websites ask for through a visitor's browser, and what is too large.

    A server on one's own machine can be reached by every page that its owner opens: directly, which
    the browser marks as cross-site, or by a name that its owner points to 127.0.0.1.

    Args:
        app: the application.
        headers: (name, value) pairs of bytes that every answer has beside web.HEADERS.
        no_store: browsers keep no answer to paths that begin with this.
        hostnames: names that a request may call this server by, without ports; None is any.
        max_bytes: of a body, which is then read whole before anything looks at it; None is any
            size, read by the application as it comes.
    """

    def __init__(
        self,
        app: ASGIApp,
        headers: tuple[tuple[bytes, bytes], ...],
        no_store: str,
        hostnames: list[str] | None = None,
        max_bytes: int | None = None,
    ):
        self._app, self._headers, self._no_store = app, (*headers, *HEADERS), no_store
        self._hostnames = None if hostnames is None else {name.lower() for name in hostnames}
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = [*self._headers]
        if scope["path"].startswith(self._no_store):
            added.append((b"cache-control", b"no-store"))

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        app = self._refused(scope)
        if app is None:
            app = self._app
            if self._max_bytes is not None:
                body = await _body(receive, self._max_bytes)
                if body is None:
                    app = refusal("The request is too large.", 413)
                else:
                    receive = _first({"type": "http.request", "body": body}, receive)
        await app(scope, receive, answered)

    def _refused(self, scope: Scope) -> ASGIApp | None:
        """The refusal of a request that may not be made; None for others."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._hostnames is not None and name not in self._hostnames:
            return refusal("This server is not called that (--hostnames).", 421)
        elsewhere = headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site")
        if scope["method"] == "POST" and elsewhere:
            return refusal("Another website may not ask this server.", 403)
        return None


async def _body(receive: Receive, max_bytes: int) -> bytes | None:
    """The body; None where it is larger."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > max_bytes:
            return None
        if not message.get("more_body"):  # its end, or the client's going away
            return body


def _first(message: Message, receive: Receive) -> Receive:
    """Receives this message, then the others."""
    waiting = [message]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received
