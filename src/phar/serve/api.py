"""The HTTP API: each request a function, its shape in its types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.requests import ClientDisconnect

from phar import __version__
from phar.schema import PharError
from phar.serve import documents
from phar.serve.documents import MOST_ROWS, Problem, Refused
from phar.serve.guard import Access, Guard
from phar.serve.page import page
from phar.serve.previews import LONGEST_S
from phar.serve.service import Service

#: What the body of any request but an upload may hold.
_MOST_BYTES = 64 << 10

#: What can be asked without a token.
_OPEN = frozenset({"/", "/favicon.ico"})

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<rect width="16" height="16" rx="3" fill="#1a5fb4"/><path d="M4 4v8l8-4z" fill="#fff"/></svg>'
)

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
Before = Annotated[documents.RowId | None, Query(description="the last id of the page before")]


def service_of(request: Request) -> Service:
    """Return what answers."""
    found: Service = request.app.state.service
    return found


Serving = Annotated[Service, Depends(service_of)]


def require_name(request: Request, moderator: str) -> None:
    """See that a token with a name is used for that name only. Raises Refused."""
    owner = getattr(request.state, "moderator", None)
    if owner is not None and owner != moderator:
        raise Refused(403, f"this token is {owner}'s, not {moderator}'s")


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    what = {
        404: "is not there",
        408: "nothing came for too long",
        409: "somebody else was first, or it is not ready",
        413: "too large",
        503: "too busy; ask again",
        507: "no room on the server's disk",
    }
    return {status: {"model": Problem, "description": what[status]} for status in statuses}


api = APIRouter(prefix="/api")


@api.get("/about", tags=["server"])
def about(serving: Serving, request: Request) -> documents.About:
    """Say what this server is: profile, policy, labels, limits."""
    return serving.about(getattr(request.state, "moderator", None))


@api.post("/jobs", status_code=202, tags=["jobs"], responses=_problems(404, 409))
def post_job(serving: Serving, wish: documents.NewJob, response: Response) -> documents.Job:
    """Analyse a video on the server's disks, or find its shots."""
    job, _ = serving.post(wish)
    response.headers["Location"] = f"/api/jobs/{job.id}"
    return job


@api.post(
    "/uploads",
    status_code=202,
    tags=["jobs"],
    responses=_problems(408, 409, 413, 507),
    # Counted where it is written, against the server's own limit.
    max_body_size=2**62,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(
    serving: Serving,
    request: Request,
    response: Response,
    name: Annotated[str, Query(min_length=1, max_length=255, description="the file's name")],
    kind: documents.Kind = "analyse",
    key: documents.Key | None = None,
) -> documents.Job:
    """Send a video, as the body of the request, to be analysed or to have its shots found."""
    announced = request.headers.get("content-length")
    size = None if announced is None else int(announced)
    try:
        job, _ = await serving.upload(name, kind, key, request.stream(), size)
    except ClientDisconnect:
        raise Refused(400, "the upload broke off; send it again") from None
    response.headers["Location"] = f"/api/jobs/{job.id}"
    return job


@api.get("/jobs", tags=["jobs"], responses=_problems(404))
def list_jobs(
    serving: Serving,
    state: documents.State | None = None,
    before: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16}$")] = None,
    limit: Limit = 50,
) -> list[documents.Job]:
    """List jobs, the latest first."""
    return serving.jobs.jobs(state, before, limit)


@api.get("/jobs/{job_id}", tags=["jobs"], responses=_problems(404))
def get_job(serving: Serving, job_id: JobId) -> documents.Job:
    """Say how a job is going."""
    return serving.jobs.job(job_id)


@api.post("/jobs/{job_id}/cancel", tags=["jobs"], responses=_problems(404))
def cancel_job(serving: Serving, job_id: JobId) -> documents.Job:
    """End a job; one that has ended stays as it is."""
    return serving.jobs.cancel(job_id)


_FILE: dict[str, Any] = {
    "response_class": FileResponse,
    "tags": ["jobs"],
    "responses": {
        200: {"content": {"application/json": {"schema": {"type": "object"}}}},
        **_problems(404, 409),
    },
}


@api.get("/jobs/{job_id}/report", **_FILE)
def get_report(serving: Serving, job_id: JobId) -> FileResponse:
    """Give everything that was seen: the report of `phar demo`."""
    return _file(serving, job_id, "report")


@api.get("/jobs/{job_id}/verdict", **_FILE)
def get_verdict(serving: Serving, job_id: JobId) -> FileResponse:
    """Give the verdict of `phar moderate run`."""
    return _file(serving, job_id, "verdict")


def _file(serving: Service, job_id: str, what: Literal["report", "verdict"]) -> FileResponse:
    job = serving.jobs.job(job_id)
    if job.kind != "analyse" or job.state != "done":
        raise Refused(409, f"job {job_id} has no {what}: it is {job.kind}, {job.state}")
    path = serving.keeping.report(job_id) if what == "report" else serving.keeping.verdict(job_id)
    if not path.is_file():
        raise Refused(404, f"the {what} of job {job_id} is not there any more")
    return FileResponse(path, media_type="application/json")


@api.get("/queue", tags=["review"])
def standing(serving: Serving) -> documents.Standing:
    """Say how much waits for people."""
    return serving.review.standing()


@api.post("/queue/lease", tags=["review"])
def lease(serving: Serving, request: Request, wish: documents.Lease) -> list[documents.Span]:
    """Hold the next spans for one page of a moderator; asked again, hold the same ones longer."""
    require_name(request, wish.moderator)
    return serving.review.lease(wish)


@api.post("/queue/release", status_code=204, tags=["review"])
def release(serving: Serving, request: Request, wish: documents.Release) -> None:
    """Give spans back to the queue."""
    require_name(request, wish.moderator)
    serving.review.release(wish)


@api.get("/spans/{span_id}", tags=["review"], responses=_problems(404))
def get_span(serving: Serving, span_id: RowId) -> documents.Span:
    """Give one span."""
    return serving.review.span(span_id)


@api.get(
    "/spans/{span_id}/preview",
    response_class=Response,
    tags=["review"],
    responses={
        200: {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}},
        **_problems(404, 409, 503),
    },
)
async def preview(
    serving: Serving,
    span_id: RowId,
    from_s: Annotated[float | None, Query(ge=0, le=1e6, allow_inf_nan=False)] = None,
    length_s: Annotated[float, Query(ge=1, le=LONGEST_S, allow_inf_nan=False)] = 20.0,
) -> Response:
    """Cut a small video of a span, now; it is kept nowhere."""
    return Response(await serving.preview(span_id, from_s, length_s), media_type="video/mp4")


@api.post(
    "/spans/{span_id}/verdicts",
    status_code=201,
    tags=["review"],
    responses={
        200: {"model": documents.Verdict, "description": "was known already"},
        **_problems(404, 409),
    },
)
def give_verdict(
    serving: Serving, request: Request, response: Response, span_id: RowId, said: documents.NewVerdict
) -> documents.Verdict:
    """Say what a span is; the same key again changes nothing."""
    require_name(request, said.moderator)
    verdict, new = serving.review.give(span_id, said)
    if not new:
        response.status_code = 200
    return verdict


@api.post("/verdicts/{verdict_id}/undo", tags=["review"], responses=_problems(404))
def undo(serving: Serving, request: Request, verdict_id: RowId, wish: documents.Undo) -> documents.Verdict:
    """Take one's own verdict back; the span waits again."""
    require_name(request, wish.moderator)
    return serving.review.undo(verdict_id, wish)


@api.get("/verdicts", tags=["review"])
def history(
    serving: Serving,
    moderator: documents.Moderator | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> list[documents.Verdict]:
    """List verdicts, the latest first, those that were taken back too."""
    return serving.review.history(moderator, before, limit)


@api.get("/videos", tags=["review"])
def videos(serving: Serving, before: Before = None, limit: Limit = 50) -> list[documents.VideoStanding]:
    """List videos, the latest first, and what waits of each."""
    return serving.review.videos(before, limit)


@api.post("/videos/{video_id}/shots", status_code=202, tags=["review"], responses=_problems(404))
def find_shots(serving: Serving, video_id: RowId) -> documents.Job:
    """Find a video's shots, to be labelled from scratch."""
    return serving.shots_of(video_id)


@api.get(
    "/annotations.csv",
    response_class=Response,
    tags=["review"],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def table(serving: Serving) -> Response:
    """Give all verdicts as a table that `phar dataset import` reads."""
    rows, left_out = serving.table()
    headers = {
        "Content-Disposition": 'attachment; filename="verdicts.csv"',
        "X-Left-Out": str(left_out),
    }
    return Response(rows, media_type="text/csv", headers=headers)


def application(service: Service, access: Access) -> Guard:
    """Return the ASGI application."""
    app = FastAPI(
        title="phar serve",
        version=__version__,
        summary="Videos in, verdicts out, and what people say of them.",
        openapi_url="/api/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        max_body_size=_MOST_BYTES,
        responses={
            400: {"model": Problem, "description": "cannot be done as asked"},
            401: {"model": Problem, "description": "no token, or a wrong one"},
            403: {"model": Problem, "description": "not from there, or not for this moderator"},
            413: {"model": Problem, "description": "too large"},
        },
    )
    app.state.service = service
    app.include_router(api)
    text, policy = page()

    @app.get("/", include_in_schema=False)
    def review_page() -> Response:
        headers = {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}
        return Response(text, media_type="text/html", headers=headers)

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(_ICON, media_type="image/svg+xml")

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, error.status)

    @app.exception_handler(PharError)
    async def failed(request: Request, error: PharError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 500)

    @app.exception_handler(RequestValidationError)
    async def misshaped(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is left out: it need not be JSON.
        faults = [
            {"loc": list(each["loc"]), "msg": each["msg"], "type": each["type"]} for each in error.errors()
        ]
        return JSONResponse({"detail": faults}, 422)

    if access.tokens:
        _say_that_tokens_are_needed(app)
    return Guard(app, access, _OPEN)


def _say_that_tokens_are_needed(app: FastAPI) -> None:
    plain = app.openapi

    def with_tokens() -> dict[str, Any]:
        document = plain()
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        return document

    app.openapi = with_tokens  # type: ignore[method-assign]
