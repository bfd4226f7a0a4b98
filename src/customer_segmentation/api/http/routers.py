"""The routes of a resource of `/v1`, and what all of them check."""

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

from customer_segmentation.api.http.requests import check_parameters


class Router(APIRouter):
    """The routes of a resource, to be added to an application as they are.

    FastAPI's `include_router` makes each route a second time: for 70 of them 0.1 s of a processor,
    as much as the rest of making the application that each server and each command begins with.
    """

    def __init__(self, prefix: str, tag: str, route_class: type[APIRoute] = APIRoute) -> None:
        """Begin with no route.

        Args:
            prefix: of the paths.
            tag: under which the document lists them.
            route_class: of the routes.
        """
        super().__init__(
            prefix=prefix,
            tags=[tag],
            route_class=route_class,
            dependencies=[Depends(check_parameters)],
            # A body may come without a content type.
            strict_content_type=False,
        )

    def add_to(self, other: "FastAPI | Router") -> None:
        """Add the routes to an application, or to other ones."""
        other.routes.extend(self.routes)
