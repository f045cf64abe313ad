"""What the house's web servers share: headers, refusals, a socket and uvicorn; no TensorFlow."""

import socket
from collections.abc import Callable

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def content_policy(media: str = "media-src 'self'") -> tuple[bytes, bytes]:
    """The header by which a page loads nothing from elsewhere; `media` says what videos may."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"{media}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return b"content-security-policy", policy.encode()


def refusal(words: str, status: int) -> JSONResponse:
    """A response that says why not: {"error": words}."""
    return JSONResponse({"error": words}, status, {"retry-after": "10"} if status == 503 else None)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: the port is taken, or the host is not this machine.
        ValueError: the host is empty, which sockets take for every address of this machine.
    """
    if not host:
        raise ValueError(
            "--host must name an address of this machine, such as 127.0.0.1 (0.0.0.0 is all of "
            f"them), not {host!r}"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(f"cannot listen at {host}:{port} ({error.strerror})") from error
    # asyncio sets this only on sockets that name their protocol; without it answers wait 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address(listening: socket.socket) -> str:
    """What to type into a browser, without the last slash."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(
    app: ASGIApp,
    listening: socket.socket,
    ready: Callable[[], None] = lambda: None,
    farewell_seconds: int | None = None,
) -> None:
    """Serves until it is interrupted; access logs are off, so that no addresses are kept.

    Args:
        app: the application.
        listening: see `listen`; it is closed in the end.
        ready: called when clients can connect.
        farewell_seconds: how long answers may go on after the interrupt; None is to their end.
    """
    # Connections outlast a clip: nobody waits for a new one with every click.
    quiet = {"access_log": False, "log_level": "warning", "server_header": False}
    config = uvicorn.Config(
        app, timeout_keep_alive=60, timeout_graceful_shutdown=farewell_seconds, **quiet
    )
    with listening:
        ready()
        uvicorn.Server(config).run(sockets=[listening])
