"""The server: the page, its REST interface, and what both say of the preset.

Whatever arrives is hostile until it was read within bounds: see guard (who asks), settings (the
query), making (the body) and data_pipeline.uploads (the sound). Nothing outlives its request.
"""

from importlib import resources
from typing import Annotated, NamedTuple

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

import nwt_tf
from nwt_tf.codec.bits import width_of
from nwt_tf.generation import episodes
from nwt_tf.serving import answers, settings
from nwt_tf.serving.guard import Guard
from nwt_tf.serving.jobs import Jobs
from nwt_tf.serving.making import Limits, Making, Media
from nwt_tf.serving.web import content_policy, refusal

_HEADERS = (
    content_policy("media-src 'self' blob:"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
)
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_SOUND = {
    "requestBody": {
        "required": True,
        "description": "A file with sound (wav, mp3, m4a, ogg, flac, webm; videos too), or words "
        "as text/plain in UTF-8, where `text` of /v1/preset is true.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
_ERROR = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "string", "description": "Why, in words."}},
        }
    }
}
_REFUSALS = {
    403: "Another website asks.",
    408: "The sound came too slowly.",
    413: "The sound is too large.",
    422: "Nothing can be made of this sound or these settings.",
    503: "All places are taken.",
}


class Studio(NamedTuple):
    """What makes videos.

    model: an AudioToVideo; name, card: of its preset; media: Media; limits: Limits; jobs: Jobs.
    """

    model: object
    name: str
    card: str
    media: Media
    limits: Limits
    jobs: Jobs


def make_app(studio, hostnames=None, lifespan=None):
    """The application.

    Args:
        studio: Studio.
        hostnames: see Guard.
        lifespan: see FastAPI; what happens around the time in which requests are answered.
    """
    files = {path.name: path.read_bytes() for path in _page().iterdir() if path.is_file()}
    told = description(studio)
    app = FastAPI(
        title="nwt serve",
        version=nwt_tf.__version__,
        description="Speech in, video of a talking person out. Errors are {\"error\": words}.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Guard, headers=_HEADERS, no_store="/", hostnames=hostnames)

    @app.exception_handler(HTTPException)
    def _failed(request: Request, error: HTTPException):
        words = {404: "There is no such page.", 405: "This cannot be asked in that way."}
        return refusal(words.get(error.status_code, str(error.detail)), error.status_code)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError):
        return refusal(" ".join(_words(each) for each in error.errors()[:3]), 422)

    @app.get("/", include_in_schema=False)
    async def index():
        return await page("index.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def page(name: str):
        if name not in files:
            raise HTTPException(404)
        return Response(files[name], media_type=TYPES[name[name.rindex(".") :]])

    @app.get("/v1/health", summary="Whether videos are made, and how many wait")
    async def health():
        alive = studio.jobs.alive()
        content = {
            "status": "ok" if alive else "ended",
            "taken": studio.jobs.taken,
            "places": studio.jobs.places,
        }
        return JSONResponse(content, 200 if alive else 503)

    @app.get("/v1/preset", summary="What this server's model is, and its limits")
    async def preset():
        return told

    def post(path, form, summary, answer):
        refusals = {
            status: {"description": words, "content": _ERROR} for status, words in _REFUSALS.items()
        }
        good = {"description": answer, "content": {form.media_type: {}}}

        @app.post(
            path,
            name=path.rpartition("/")[2],
            summary=summary,
            openapi_extra=_SOUND,
            response_class=Response,
            responses={200: good, **refusals},
        )
        async def making(asked: Annotated[settings.Settings, Query()]):
            return Making(studio, asked, form())

    post("/v1/video", answers.Whole, "Sound to an mp4", "The mp4; figures in nwt-* headers.")
    post(
        "/v1/stream",
        answers.Stream,
        "Sound to an mp4 while it is made",
        "A fragmented mp4, piece by piece. One that breaks off had an error.",
    )
    post(
        "/v1/events",
        answers.Lines,
        "Sound to an mp4 and its figures while it is made",
        "Lines of JSON with `event`: waiting (`ahead`), start, frames (`mp4` in base64, pieces of "
        "one fragmented mp4), done (`mp4` is the whole, ordinary one) or error (`error`, words).",
    )
    return app


def description(studio):
    """What /v1/preset says, JSON."""
    model = studio.model
    named = [episodes.NONE, *(name for name in model.episodes if name != episodes.NONE)]
    return {
        "preset": studio.name,
        "card": studio.card,
        "version": nwt_tf.__version__,
        "prior": type(model.prior).__name__,
        "fps": model.fps,
        "height": model.dvae.height,
        "width": model.dvae.width,
        "memcodes": list(model.dvae.grid),
        "raw_bits_per_memcode": model.dvae.num_heads * width_of(model.dvae.num_codes),
        "style_dim": model.prior.style_dim,
        "max_style": settings.MAX_STYLE,
        "draws": model.draws.figures(),
        "episodes": [
            {"name": name, "style": [round(float(value), 4) for value in model.style_of(name)]}
            for name in named
        ],
        "text": studio.media.speak is not None,
        "limits": studio.limits._asdict(),
    }


def _page():
    return resources.files(__package__).joinpath("page")


def _words(error):
    """One line of what pydantic found."""
    name = str(error["loc"][-1])[:40]
    if error["type"] == "extra_forbidden":
        known = ", ".join(settings.Settings.model_fields)
        return f"{name}: there is no such setting; there are {known}."
    return f"{name}: {error['msg'][0].lower()}{error['msg'][1:]}."
