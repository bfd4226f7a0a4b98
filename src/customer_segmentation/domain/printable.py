"""Texts as logs and terminals may show them."""


def escape_controls(text: str) -> str:
    """Return a text in which what cannot be seen is written as an escape sequence of Python."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
