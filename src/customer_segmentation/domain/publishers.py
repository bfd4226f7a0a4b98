"""Publishers, which send the feed of changes to a message broker."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Publisher:
    """A publisher.

    Attributes:
        name: of its own; whoever sends under it goes on where the last one stopped.
        position: in the feed, up to where events are sent.
        holder: which process sends under the name.
        held_until: until when no other process may, unless that is put off.
    """

    name: str
    position: int
    holder: str
    held_until: datetime
