"""One function over many items in worker processes, in order and within bounded memory."""

import itertools
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ssl_collapse.runtime.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
_BATCH = 32


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield `function(item)` for every item, in the order of `items`.

    With one worker everything happens in this process. With more, `function` and the items must be
    picklable; no more than three batches of 32 results per worker are held at a time.

    Raises what `function` raises, and UserError when a worker process is killed.
    """
    if workers <= 1 or len(items) <= _BATCH:
        yield from map(function, items)
        return
    # Fresh processes: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_end_with_parent)
    try:
        yield from _in_order(pool, function, items, in_flight=2 * workers + 1)
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed, most often because memory ran out; use fewer workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    in_flight: int,
) -> Iterator[Result]:
    batches = (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
    waiting: deque[Future[list[Result]]] = deque()
    for batch in itertools.islice(batches, in_flight):
        waiting.append(pool.submit(_map_batch, function, batch))
    while waiting:
        results = waiting.popleft().result()
        for batch in itertools.islice(batches, 1):
            waiting.append(pool.submit(_map_batch, function, batch))
        yield from results


def _map_batch(function: Callable[[Item], Result], batch: Sequence[Item]) -> list[Result]:
    return [function(item) for item in batch]


def _end_with_parent() -> None:
    """End this worker when its parent is killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()
