"""Which web pages may call a service that asks nobody for a key, and under which host names.

Any page can have its reader's browser send requests to whatever that machine reaches, and a page
whose host name is made to lead here afterwards (DNS rebinding) can read the answers too. A program
sends neither `Sec-Fetch-Site` nor `Origin`, and calls by an address or a name that is the service's
own. The rules are those of Go's `http.CrossOriginProtection` and of Datasette.
"""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from ipaddress import ip_address

from starlette.types import Scope

from customer_segmentation.api.http.problems import CROSS_ORIGIN, UNKNOWN_HOST, RequestProblemError
from customer_segmentation.services.runtime.settings import Settings

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\[\]:@/?#\\\s]+))(?::\d*)?", re.I)


class Origins:
    """Tells which requests may come from a web page, and from which."""

    def __init__(self, settings: Settings) -> None:
        """Know which origins and host names are allowed."""
        self._allowed = frozenset(origin.encode() for origin in settings.cors_origins)
        self._is_own = lru_cache(maxsize=1024)(partial(is_own_host, allowed=settings.allowed_hosts))

    def check(self, scope: Scope) -> None:
        """See that a request was not sent by a page that has no business here.

        Raises:
            RequestProblemError: it may have been.
        """
        host = site = origin = None
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"sec-fetch-site":
                site = value
            elif name == b"origin":
                origin = value
        if host is not None and not self._is_own(host):
            raise RequestProblemError(
                UNKNOWN_HOST,
                f"The service does not answer as {host.decode('latin-1')} without API keys; "
                "set CUSTOMER_SEGMENTATION_ALLOWED_HOSTS if that is its name",
            )
        if scope["method"] in _SAFE_METHODS or origin in self._allowed or b"*" in self._allowed:
            return
        if site is None:
            is_own = origin is None or origin.partition(b"://")[2] == host
        else:
            is_own = site in (b"same-origin", b"none")
        if not is_own:
            raise RequestProblemError(
                CROSS_ORIGIN,
                "A web page of another origin sent this; set CUSTOMER_SEGMENTATION_CORS_ORIGINS "
                "if it may",
            )


def is_own_host(host: bytes, allowed: Collection[str]) -> bool:
    """Return whether a `Host` header cannot be a name that somebody else gave to this machine.

    That is so of IP addresses, of `localhost`, and of names without a dot, which no one outside
    can register; all others have to be allowed.
    """
    found = _HOST.fullmatch(host.decode("latin-1"))
    if found is None:
        return False
    name = (found["v6"] or found["name"]).lower().removesuffix(".")
    if any(fnmatchcase(name, pattern.lower()) for pattern in allowed):
        return True
    return name.rpartition(".")[2] == "localhost" or "." not in name or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
