"""The page with its run behind it: clips play, labels are kept. Loopback by default, and careful as if it were not.

Every request names a host that was agreed on (a page of another name cannot be rebound to this address), nothing is
written but labels, and those only by whoever was given the link with the token.
"""

from __future__ import annotations

import hmac
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from dashboard.address import Address
from dashboard.feed import LabelRow, label_table
from dashboard.page import SCRIPT_NAME, served_policy, served_script
from schemas.config_file import ConfigError
from schemas.examples import Label, LabelStore, Pair, Said

MAX_LABEL_BYTES = 4_096
TOKEN_HEADER = "X-Clipstrata-Token"


@dataclass(frozen=True, kw_only=True)
class Served:
    """What stands behind the page.

    Attributes:
        page: returns the page as it is now: labels change it.
        media: SHA-256 of a clip -> its file, or None.
        pair: sample -> what the run says of it and its text, or None for one that the page does not show.
        precision: returns the rows of the table of labels as they are now.
        token: who may write labels shows it.
    """

    page: Callable[[], str]
    media: Callable[[str], Path | None]
    pair: Callable[[str], Pair | None]
    labels: LabelStore
    precision: Callable[[], Sequence[LabelRow]]
    token: str


def make_app(served: Served, admits: Callable[[str], bool]) -> web.Application:
    """Return the application; `admits` says whether a request may have this `Host`."""
    code = served_script()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=served.page(), content_type="text/html", charset="utf-8")

    async def script(request: web.Request) -> web.Response:
        return web.Response(text=code, content_type="text/javascript", charset="utf-8")

    async def media(request: web.Request) -> web.StreamResponse:
        path = served.media(request.match_info["sha256"])
        if path is None:
            raise web.HTTPNotFound(text="no such clip in this run\n")
        return web.FileResponse(path, headers={"Content-Type": "video/mp4"})

    async def label(request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), served.token.encode()):
            raise web.HTTPForbidden(text="labels want the token of the link that was printed\n")
        found = _label(await request.read(), served.pair)
        served.labels.add(found)
        return web.json_response({"kept": found.sample_id, "labels": asdict(label_table(served.precision()))})

    app = web.Application(middlewares=[_guard(admits)], client_max_size=MAX_LABEL_BYTES)
    app.router.add_get("/", page)
    app.router.add_get(f"/{SCRIPT_NAME}", script)
    app.router.add_get("/media/{sha256:[0-9a-f]{64}}.mp4", media)
    app.router.add_post("/labels", label)
    return app


def _guard(admits: Callable[[str], bool]) -> Middleware:
    """Return what stands before every answer: who may ask, and what a browser may do with the answer."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": served_policy(),
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not admits(request.headers.get("Host", "")):
            return web.Response(status=421, text="this address is not the page's\n", headers=headers)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(headers)
            raise
        response.headers.update(headers)
        return response

    return guard


def _label(body: bytes, pair_of: Callable[[str], Pair | None]) -> Label:
    """Return what was said as a label of the run's own pair."""
    try:
        said = Said.model_validate_json(body)
    except ValidationError as error:
        raise web.HTTPBadRequest(text=f"not a label: {error.error_count()} problems\n") from error
    pair = pair_of(said.sample_id)
    if pair is None:
        raise web.HTTPNotFound(text="no such clip with a text among those that the page shows\n")
    return Label(**pair.model_dump(), verdict=said.verdict)


def serve(served: Served, address: Address) -> None:
    """Serve until interrupted; the link with the token is printed once the page can be opened.

    Raises:
        ConfigError: the port is taken or not allowed.
    """

    def say(_: str) -> None:
        sys.stdout.write(f"page: {address.link}#token={served.token}\nstop it with Ctrl-C\n")
        sys.stdout.flush()

    app = make_app(served, address.admits)
    try:
        web.run_app(app, host=address.host, port=address.port, print=say, access_log=None)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--host {address.host} --port {address.port}: {error}; give others") from error
