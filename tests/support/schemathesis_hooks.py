"""What schemathesis must not send, as no schema can tell that it is refused."""

import schemathesis
from schemathesis import HookContext

from customer_segmentation.domain.numbers import LARGEST_INTEGER


@schemathesis.hook
def filter_body(_context: HookContext, body: object) -> bool:
    """Leave out the largest integer written with a fraction: it may be the next one, rounded.

    For JSON Schema it is the same number as the one without, which is accepted.
    """
    return not _holds_rounded(body)


def _holds_rounded(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_rounded, value.values()))
    if isinstance(value, list):
        return any(map(_holds_rounded, value))
    return isinstance(value, float) and abs(value) == LARGEST_INTEGER
