"""Work in parts: which threads share it."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, time
from customer_segmentation.model.threads import map_all, use_while_others_rest

def look(_):
    time.sleep(0.02)
    return os.sched_getscheduler(0), tuple(sorted(os.sched_getaffinity(0)))

everything = os.sched_getaffinity(0)
left = min(everything)
os.sched_setaffinity(0, everything - {left})
use_while_others_rest({left})
found = set(map_all(look, range(8 * os.cpu_count())))
own = (os.SCHED_OTHER, tuple(sorted(everything - {left})))
other = (os.SCHED_IDLE, tuple(sorted(everything)))
assert found == {own, other}, found
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one processor has nothing to leave")
def test_a_processor_left_to_others_is_worked_on_at_the_least_priority_only() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
