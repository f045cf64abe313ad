"""The survey's server: pages, clips, and a small JSON interface to a running Study.

Whatever arrives is hostile until it has the exact shape that is expected: sizes are bounded, files
are found by name in a table and never by path, answers are small integers, and an identity is a
long secret that the server stores hashed. Nothing that was sent is ever sent back.
"""

import csv
import io
import os
import secrets
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from nwt_tf.evaluation.mos import ratings
from nwt_tf.evaluation.mos.protocol import DEVICES, HEARING, LANGUAGE_CHARS
from nwt_tf.evaluation.mos.study import Refused, Study
from nwt_tf.evaluation.mos.survey import CLIPS, PAGES
from nwt_tf.files import whole
from nwt_tf.serving.guard import Guard
from nwt_tf.serving.web import content_policy, refusal

MAX_BODY_BYTES = 4096  # what the interface takes is small
TOKEN_FILE = "admin_token"
_SECRET = r"^[0-9a-f]{32,64}$"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Joining(_Body):
    """The consent and the qualification."""

    token: str = Field(pattern=_SECRET)
    consent: Literal[True]
    language: str = Field(min_length=1, max_length=LANGUAGE_CHARS)
    devices: list[Literal[DEVICES]] = Field(max_length=len(DEVICES))
    hearing: Literal[HEARING]
    experiment: str = Field("", max_length=20)
    worker: str = Field("", pattern=r"^[A-Za-z0-9_-]{0,64}$")


class Answer(_Body):
    """One click."""

    section: int = Field(ge=1, lt=2**53)
    position: int = Field(ge=0, lt=100)
    answer: int = Field(ge=1, le=5)


class Finishing(_Body):
    """The end of a section."""

    section: int = Field(ge=1, lt=2**53)


def admin_token(folder: str | os.PathLike) -> str:
    """The secret of the admin page: that of the folder, made and kept there the first time."""
    path = Path(folder) / TOKEN_FILE
    if not path.exists():
        with whole(path) as beside:
            beside.touch(0o600)
            beside.write_text(secrets.token_hex(24) + "\n")
    token = path.read_text(encoding="ascii", errors="replace").strip()
    if len(token) < 32:
        raise ValueError(f"{path}: holds no secret of at least 32 characters; delete it")
    return token


def make_app(study: Study, folder: str | os.PathLike, admin: str) -> FastAPI:
    """The application.

    Args:
        study: what happens.
        folder: the survey's, with `pages` and `clips`.
        admin: secret of the admin page.

    Raises:
        ValueError: a page or a clip of the survey is missing.
    """
    folder = Path(folder)
    pages = {path.name: path for path in (folder / PAGES).iterdir()}
    clips = {name: folder / CLIPS / name for name in study.survey.by_name}
    missing = [name for name, path in clips.items() if not path.is_file()]
    if missing or "index.html" not in pages:
        raise ValueError(
            f"{folder}: {len(missing)} clips or the pages are missing; run the build to its end"
        )
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(
        Guard, headers=(content_policy(),), no_store="/api/", max_bytes=MAX_BODY_BYTES
    )

    # What only reads runs at once; what writes waits for the disk, in a thread of its own.
    async def rater(authorization: Annotated[str, Header(max_length=100)] = ""):
        found = study.store.rater(authorization.removeprefix("Bearer "))
        if found is None:
            raise HTTPException(401, "You are not taking part, or your data were erased.")
        return found

    async def is_admin(authorization: Annotated[str, Header(max_length=100)] = ""):
        given = authorization.removeprefix("Bearer ").encode("utf-8", "replace")
        if not secrets.compare_digest(given, admin.encode()):
            raise HTTPException(401, "This needs the admin token.")

    @app.exception_handler(Refused)
    def _refused(request: Request, error: Refused):
        return refusal(str(error), 409)

    @app.exception_handler(StarletteHTTPException)
    def _failed(request: Request, error: StarletteHTTPException):
        return refusal(error.detail, error.status_code)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError):
        return refusal("The request is not understood.", 422)

    @app.get("/")
    def index():
        return FileResponse(pages["index.html"])

    @app.get("/admin")
    def admin_page():
        return FileResponse(pages["admin.html"])

    @app.get("/pages/{name}")
    def page(name: str):
        if name not in pages:
            raise HTTPException(404, "There is no such page.")
        return FileResponse(pages[name])

    @app.get("/clips/{name}")
    def clip(name: str):
        if name not in clips:
            raise HTTPException(404, "There is no such clip.")
        return FileResponse(clips[name], headers={"cache-control": "private, max-age=86400"})

    @app.post("/api/join")
    def join(body: Joining):
        facts = body.model_dump(exclude={"consent"})
        return {"qualified": study.join(**facts)}

    @app.post("/api/next")
    def following(who=Depends(rater)):  # noqa: B008
        return study.next(who)

    @app.post("/api/answer")
    def answer(body: Answer, who=Depends(rater)):  # noqa: B008
        study.answer(who, body.section, body.position, body.answer)
        return {"saved": True}

    @app.post("/api/finish")
    def finish(body: Finishing, who=Depends(rater)):  # noqa: B008
        return study.finish(who, body.section)

    @app.get("/api/me")
    def stored(who=Depends(rater)):  # noqa: B008
        return study.stored(who)

    @app.delete("/api/me")
    def erase(who=Depends(rater)):  # noqa: B008
        study.store.erase(who["id"])
        return {"erased": True}

    @app.get("/api/admin/progress", dependencies=[Depends(is_admin)])
    def progress():
        return study.progress()

    @app.get("/api/admin/ratings.csv", dependencies=[Depends(is_admin)])
    def download():
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(ratings.COLUMNS)
        writer.writerows(ratings.from_store(study.store, study.survey))
        return Response(text.getvalue(), media_type="text/csv")

    @app.delete("/api/admin/raters/{name}", dependencies=[Depends(is_admin)])
    def erase_rater(name: str):
        if not study.store.erase(name):
            raise HTTPException(404, "There is no such rater.")
        return {"erased": True}

    return app
