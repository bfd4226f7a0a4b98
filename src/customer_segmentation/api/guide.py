"""The guide at `/guide`: the site that `./run guide` and the image's build make from `docs/`."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from customer_segmentation.api.http.problems import NO_GUIDE, RequestProblemError
from customer_segmentation.api.http.roles import needs

GUIDE = Path(__file__).parents[1] / "guide"
"""Where the site is once it is built."""


def guide_router(folder: Path) -> APIRouter:
    """Return the routes of the guide.

    Args:
        folder: of the built site; where it is absent, the answer says how to build it.
    """
    router = APIRouter(include_in_schema=False)
    files = StaticFiles(directory=folder, check_dir=False)

    @router.get("/guide")
    @needs(None)
    async def guide() -> Response:
        """Lead to the first page, under whose address the links of the site are right."""
        return RedirectResponse("/guide/")

    @router.get("/guide/{path:path}")
    @needs(None)
    async def page(request: Request, path: str) -> Response:
        """Return a page, a picture or a script of the site."""
        if not (folder / "index.html").is_file():
            raise RequestProblemError(
                NO_GUIDE, "The guide is not built here: ./run guide builds it, and the image has it"
            )
        return await files.get_response(path or "index.html", request.scope)

    return router
