"""What docs/data.md shows is what happens."""

import io
import re
from pathlib import Path

import pytest

from customer_segmentation.files.check.rejects import RejectsFile
from customer_segmentation.files.check.rows import Checked, Checker
from customer_segmentation.files.map.mapping_file import parse_mapping, read_rules
from customer_segmentation.files.map.transaction_rules import Direction, TransactionRules
from customer_segmentation.files.read.tables import open_table
from customer_segmentation.files.transactions.totals import DERIVED, Transactions
from customer_segmentation.files.write.audience import hashed_id
from tests.support.files import BANK, GUESSED, GUIDE, REJECTS, RULES, TRANSACTIONS, guess, mend
from tests.support.shipped import SHIPPED


def load_bank(mapping: str, rejects: Path) -> Checked:
    with (
        open_table(io.BytesIO(BANK.encode())) as source,
        RejectsFile(rejects, source.columns) as file,
    ):
        checker = Checker(SHIPPED, source, parse_mapping(SHIPPED, mapping, "mapping.toml"))
        (checked,) = map(checker.check, source.blocks(checker.wanted))
        file.add(checked.rejects)
    return checked


def test_the_guess_is_as_shown() -> None:
    found = guess()

    for entry in GUESSED.split("\n\n"):
        assert entry.strip() in found


def test_the_mended_mapping_loads_the_table(tmp_path: Path) -> None:
    checked = load_bank(mend(), tmp_path / "rejects.csv")

    assert not checked.rejects
    assert checked.ids.tolist() == [708082083, 708082994, 708083905]
    assert checked.values[0].tolist() == [
        *(45, 1, 8300, 9723.5, 342, 1),
        *(1, 0, 0, 0),
        *(2839, 778, 7, 0),
    ]
    assert checked.values[1, :3].tolist() == [31, 0, 0]
    assert checked.values[2, 5] == 1


def test_without_that_the_rejects_are_as_shown(tmp_path: Path) -> None:
    named = ["age", "twitter_interaction", "instagram_interaction"]

    load_bank(mend(named), tmp_path / "rejects.csv")

    assert (tmp_path / "rejects.csv").read_text() == REJECTS


def test_the_transactions_add_up_as_shown() -> None:
    with open_table(io.BytesIO(TRANSACTIONS.encode())) as source:
        adding = Transactions(SHIPPED, source, TransactionRules.guessed(source.columns))
        assert not [reject for block in source.blocks() for reject in adding.add(block)]
    totals = adding.totals()

    shown = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|$", GUIDE, re.MULTILINE)
    assert f"| customer | {' | '.join(f'`{name}`' for name in DERIVED)} |" in GUIDE
    assert [tuple(map(float, row)) for row in shown] == [
        (customer, *values)
        for customer, values in zip(totals.ids.tolist(), totals.values.tolist(), strict=True)
    ]


def test_the_rules_of_transactions_are_as_shown(tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(RULES)

    rules = read_rules(tmp_path / "mapping.toml", ["Konto", "Betrag", "Art", "Buchungstag"])

    assert (rules.customer_id, rules.date) == ("Konto", "Buchungstag")
    assert rules.kinds["gutschrift"] is Direction.DEPOSIT


def test_the_hash_is_as_shown() -> None:
    assert f"`{hashed_id('56', 'spring-2026')}`" in GUIDE


@pytest.mark.parametrize("key", ["column", "factor", "codes", "decimal", "thousands", "default"])
def test_every_key_of_an_entry_is_told(key: str) -> None:
    table = GUIDE[GUIDE.index("| key |") : GUIDE.index("An entry needs")]

    assert f"`{key}`" in table
