"""Finding what people name, or mean by its number."""

from collections.abc import Mapping


def find_id(names: Mapping[int, str], name: str) -> int | None:
    """Return the id of what has a name, or where none has it, of what has it as its id.

    Args:
        names: of each, by its id.
        name: a name, or an id as a text.

    >>> find_id({1: "spring", 2: "1"}, "1"), find_id({1: "spring"}, "1"), find_id({}, "1")
    (2, 1, None)
    """
    by_name = {one: number for number, one in names.items()}
    by_id = {str(number): number for number in names}
    return by_name.get(name, by_id.get(name))
