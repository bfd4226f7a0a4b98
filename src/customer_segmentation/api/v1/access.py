"""Who asks, and what they may do: `/v1/access`."""

from typing import Literal

from pydantic import BaseModel, Field

from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor, RoleName
from customer_segmentation.domain.access import Role


class Access(BaseModel):
    """Who asks, and what they may do."""

    name: str = Field(description="The key's name; empty where nobody is asked for a key.")
    role: Literal["reader", "writer", "admin"] = Field(
        description="A writer may do what a reader may, and an admin all. Where nobody is asked "
        "for a key, everybody is an admin."
    )


def access_router() -> Router:
    """Return the route of access."""
    router = Router("/v1", "Access")

    @router.get("/access", summary="What the key may do", operation_id="get_access")
    @needs(Role.READER)
    async def access(name: Actor, role: RoleName) -> Access:
        """Tell whose key the request was sent with, and its role, for a face to offer no more."""
        return Access.model_validate({"name": name, "role": role})

    return router
