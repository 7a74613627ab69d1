"""Work spread over several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from phar.schema import ProcessError

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    num_processes: int,
    begin: Callable[[int], None] | None = None,
) -> Iterator[Result]:
    """Yield what `work` returns of each item as it is done, in no order.

    Each process starts afresh and first calls `begin` with its share of the cores, at least 1. Work and items
    must be picklable. What was not begun is left when the caller stops, or when `work` raises.

    Raises ProcessError where a process dies, or where `begin` raises.
    """
    # Forking a process that has decoded or loaded nets would take its threads' locks along.
    context = multiprocessing.get_context("spawn")
    num_processes = max(1, min(num_processes, len(items)))
    share = max(1, (os.cpu_count() or 1) // num_processes)
    with ProcessPoolExecutor(
        num_processes, mp_context=context, initializer=begin, initargs=(share,) if begin else ()
    ) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise ProcessError(
                "a process died, maybe for want of memory; run again, with --jobs 1 if it stays so"
            ) from None
        finally:
            for future in futures:
                future.cancel()
