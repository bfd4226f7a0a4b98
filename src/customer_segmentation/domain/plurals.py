"""Words that go with numbers."""


def counted(number: int | None, noun: str, plural: str = "") -> str:
    """Write how many there are of something; None is a number that must not be told.

    >>> counted(1, "row"), counted(2_000, "row"), counted(0, "person", "people")
    ('1 row', '2,000 rows', '0 people')
    """
    told = "hidden" if number is None else f"{number:,}"
    return f"{told} {noun if number == 1 else plural or noun + 's'}"
