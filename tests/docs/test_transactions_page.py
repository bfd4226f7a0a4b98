"""`docs/transactions.md` is true: its schema is one, and each example answers what it shows."""

import doctest
import re
from contextlib import closing
from pathlib import Path

import numpy as np

from customer_segmentation.api.app import create_local_app
from customer_segmentation.cli.console.in_process import InProcessTransport
from customer_segmentation.client import Client
from customer_segmentation.services.runtime.settings import Settings
from tests.docs.pages import DOCS
from tests.support.beginning import begin_with

PAGE = (DOCS / "transactions.md").read_text(encoding="utf-8")


def test_each_example_answers_what_the_page_shows(tmp_path: Path) -> None:
    (schema,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    values = np.array([[5.0, 1 + n % 3, 40.0, 0] for n in range(1, 7)] * 2)
    values[::2, 0] = 300
    ids = np.array([*range(1, 7), *range(11, 17)])

    with closing(begin_with(f"sqlite:///{tmp_path / 'shop.db'}", schema, ids, values)) as units:
        transport = InProcessTransport(create_local_app(units, Settings()))
        with Client("http://localhost", transport=transport) as shop:
            test = doctest.DocTestParser().get_doctest(PAGE, {"shop": shop}, "page", None, 0)
            assert len(test.examples) >= 10
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            runner.run(test)

    assert runner.summarize().failed == 0
