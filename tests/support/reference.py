"""What the pages under docs/reference must say, from what the code declares."""

import re
from pathlib import Path

from pydantic.fields import FieldInfo

from customer_segmentation.services.operation.setting_faults import limits_of
from customer_segmentation.services.runtime.settings import SHIPPED_DATA, variable_of

DOCS = Path(__file__).parents[2] / "docs"


def sections(page: str) -> dict[str, str]:
    """Return the text under each heading of a page, by the heading without its backquotes."""
    text = (DOCS / page).read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        heading.replace("`", ""): body
        for heading, body in zip(parts[::2], parts[1::2], strict=True)
    }


def setting_entry(name: str, field: FieldInfo) -> str:
    """Return what the page of settings says of one, at least."""
    told = (field.description or "").strip()
    heading = f"### `{variable_of(name)}`"
    return f"{heading}\n\n{told}\n\nDefault: {default_of(field)}.{allowed_of(field)}\n"


def default_of(field: FieldInfo) -> str:
    """Return a setting's default, for people."""
    if field.default == SHIPPED_DATA:
        return "the shipped data set"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`" if field.default or field.default == 0 else "none"


def allowed_of(field: FieldInfo) -> str:
    """Return which values a setting may have, where that is limited."""
    limits = limits_of(field)
    return f" Allowed: {limits}." if limits else ""
