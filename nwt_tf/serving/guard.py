"""Around the whole application: who may ask, and the headers of every answer."""

from nwt_tf.serving import web
from nwt_tf.serving.answers import refusal

_HEADERS = (
    web.content_policy("media-src 'self' blob:"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
    (b"cache-control", b"no-store"),
    *web.HEADERS,
)


class Guard:
    """Refuses what other websites ask for through a visitor's browser.

    A server on one's own machine can be reached by every page that its owner opens: directly, which
    the browser marks as cross-site, or by a name that its owner points to 127.0.0.1.

    Args:
        app: the application.
        hostnames: names that a request may call this server by, without ports; None is any.
    """

    def __init__(self, app, hostnames):
        self._app = app
        self._hostnames = None if hostnames is None else {name.lower() for name in hostnames}

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answered(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        app = self._app
        if self._hostnames is not None and name not in self._hostnames:
            app = refusal("This server is not called that (`nwt serve --hostnames`).", 421)
        elif scope["method"] == "POST" and headers.get(b"sec-fetch-site") in (
            b"cross-site",
            b"same-site",
        ):
            app = refusal("Another website may not ask this server for videos.", 403)
        await app(scope, receive, answered)
