"""Audience files for ad platforms: hashed ids, and who is treated or held out."""

from hashlib import sha256

import pyarrow as pa

from customer_segmentation.domain.arrays import IdArray
from customer_segmentation.domain.control_groups import ControlGroup, Group


def hashed_id(identifier: str, salt: str) -> str:
    """Return the SHA-256 of the salt and an e-mail address or other id, in lower-case hexadecimal.

    The id is normalised as ad platforms do: without surrounding blanks, in lower case. Whoever
    knows the salt can hash an id that they know and compare; nobody can read the id from the hash,
    unless the salt is known or guessed and the ids are few enough to try.

    >>> hashed_id(" Ann@Bank.example ", "spring") == hashed_id("ann@bank.example", "spring")
    True
    """
    return sha256(f"{salt}{identifier.strip().lower()}".encode()).hexdigest()


def hashed_ids(ids: IdArray, salt: str) -> pa.Array:
    """Return the hashes, (n,) texts, of customers' ids, (n,)."""
    return pa.array([hashed_id(str(customer_id), salt) for customer_id in ids.tolist()])


def group_names(ids: IdArray, split: ControlGroup) -> pa.Array:
    """Return the name of each customer's group, (n,) texts."""
    names = pa.array([Group.TREATMENT.value, Group.HOLDOUT.value])
    return names.take(pa.array(split.holdouts(ids).astype("int8")))
