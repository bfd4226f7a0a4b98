"""Running use cases from routes, which must not keep the event loop waiting."""

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from customer_segmentation.services.unit_of_work import UnitOfWork, UnitsOfWork

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def looked_up(
    units: UnitsOfWork,
    use_case: Callable[Concatenate[UnitsOfWork, Arguments], Result],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """Return what a use case finds that looks up one row.

    SQLite answers in a fraction of the time that it takes to hand the question to a thread.
    """
    if units.database.is_sqlite and not units.audit.keeps_reads:
        return use_case(units, *arguments, **named)
    return await run_in_threadpool(use_case, units, *arguments, **named)


async def written(
    units: UnitsOfWork,
    use_case: Callable[Concatenate[UnitOfWork, Arguments], Result],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """Return what a use case makes of a transaction, once it is durable."""
    return await asyncio.wrap_future(units.submit(use_case, *arguments, **named))
