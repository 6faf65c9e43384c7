"""What computes: a spawned process, or a Dask cluster."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from harmony_core.errors import HarmonyExplorerError
from harmony_core.io.memory import whole_memory
from harmony_core.store import Store

SCHEDULER_VARIABLE = "HARMONY_EXPLORER_SCHEDULER"
"""Address of a Dask scheduler whose workers see the store's folder; unset, one spawned process."""

_TIMEOUT_SECONDS = 10
_SHARE_OF_MEMORY = 0.9
_CHECK_SECONDS = 0.5
_GONE = "The Dask scheduler is gone."


def spawned_worker(
    store: Store, *, threads: int | None = None, niceness: int = 0, limited: bool = False
) -> Executor:
    """Return an executor of one spawned process that keeps compiled code in the store.

    Parameters
    ----------
    threads
        How many it computes with, unless the environment says so; by default one for each core.
    niceness
        How far it gives way to other processes, where the system can do that.
    limited
        Whether the system refuses it more memory than most of the machine's: it reads what others
        have written.
    """
    # Read by numba when the worker imports it; a second start then compiles nothing.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(store.compiled_folder))
    # Threads that wait for one another would spin: beside one busy process a preview then takes
    # twice as long (.36 s instead of .5 to .9 on two cores), alone it takes the same.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    context = multiprocessing.get_context("spawn")
    begin = functools.partial(_begin, threads, niceness, limited)
    return ProcessPoolExecutor(1, mp_context=context, initializer=begin)


def dask_cluster(address: str) -> Executor:
    """Return an executor whose jobs go to a Dask cluster; TLS as Dask itself is configured.

    Raises
    ------
    HarmonyExplorerError
        If Dask is not installed or the scheduler does not answer.
    """
    try:
        from distributed import Client
    except ImportError:
        raise HarmonyExplorerError(
            f"{SCHEDULER_VARIABLE} names a Dask scheduler, but Dask is not installed; "
            'install it from the checkout, with: pip install ".[cluster]"'
        ) from None
    client: Any = Client.__new__(Client)
    try:
        client.__init__(address, timeout=_TIMEOUT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        # Ended here, as Dask does it when it is collected: should that happen while another client
        # is made, the two would wait for each other for ever.
        client.__del__()
        raise HarmonyExplorerError(
            f"The Dask scheduler {address} does not answer ({error}); start it, correct "
            f"{SCHEDULER_VARIABLE}, or unset it to compute on this machine."
        ) from error
    return _Cluster(client)


class _Cluster(Executor):
    """Dask's executor, whose jobs are lost when its scheduler is gone for good.

    Dask itself leaves such jobs without an answer.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        # Results live in the store, which Dask can't see: nothing may be answered from its memory.
        self._dask: Executor = client.get_executor(pure=False)
        self._unanswered: set[Future[Any]] = set()
        threading.Thread(target=self._wait_for_the_end, name="dask-scheduler", daemon=True).start()

    @property
    def _is_gone(self) -> bool:
        return bool(self._client.status == "closed")  # after Dask's own tries to reconnect

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        try:
            future = self._dask.submit(work, *arguments, **options)
        except Exception as error:
            if self._is_gone:
                raise BrokenProcessPool(_GONE) from error
            raise
        self._unanswered.add(future)
        future.add_done_callback(self._unanswered.discard)
        return future

    def _wait_for_the_end(self) -> None:
        while not self._is_gone:
            time.sleep(_CHECK_SECONDS)
        for future in list(self._unanswered):
            with contextlib.suppress(InvalidStateError):  # answered just now
                future.set_exception(BrokenProcessPool(_GONE))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if not self._is_gone:
            self._dask.shutdown(wait=wait)
            self._client.close()


def submit(
    executor: Executor,
    function: Callable[..., str],
    /,
    *arguments: Any,
    priority: int,
    **options: Any,
) -> Future[str]:
    """Have an executor compute something; a cluster begins with what has a higher priority."""
    if isinstance(executor, _Cluster):
        options["priority"] = priority
    return executor.submit(function, *arguments, **options)


def is_lost(error: BaseException | None) -> bool:
    """Return whether a job failed because its worker died."""
    return isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker"


def end_processes(executor: Executor) -> None:
    """Kill an executor's processes, where they are ours; what they were computing is lost."""
    for process in list(getattr(executor, "_processes", None) or {}):
        with contextlib.suppress(ProcessLookupError):  # ended just now
            os.kill(process, signal.SIGTERM)


def close(executor: Executor) -> None:
    """End an executor without waiting for what it computes: nobody will ask for it."""
    end_processes(executor)  # first: an executor that is shut down knows its processes no more
    executor.shutdown(wait=False, cancel_futures=isinstance(executor, ProcessPoolExecutor))


def ended_by(processes: Collection[Any]) -> int | None:
    """Return the number of the signal that ended an executor's process; None if that is not known.

    Parameters
    ----------
    processes
        Of the executor, as `processes_of` has given them while it was whole.
    """
    for process in processes:
        process.join(1.0)  # that its pipe is closed is known before that it has ended
    codes = [process.exitcode for process in processes]
    return next((-code for code in codes if code is not None and code < 0), None)


def processes_of(executor: Executor) -> tuple[Any, ...]:
    """Return an executor's processes, where they are ours."""
    return tuple((getattr(executor, "_processes", None) or {}).values())


def _limit_memory() -> None:
    """Have what would take more than the machine has end in an error, before the system kills."""
    try:
        import resource
    except ImportError:  # of systems other than Unix
        return
    most = int(whole_memory() * _SHARE_OF_MEMORY)
    with contextlib.suppress(ValueError, OSError):  # a smaller limit that was set already
        limit, highest = resource.getrlimit(resource.RLIMIT_DATA)
        if limit != resource.RLIM_INFINITY:
            most = min(most, limit)
        resource.setrlimit(resource.RLIMIT_DATA, (most, highest))


def _begin(threads: int | None, niceness: int, limited: bool) -> None:
    """Set up a worker, before it imports what computes."""
    if threads is not None:
        for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(variable, str(threads))
    if limited:
        _limit_memory()
    if hasattr(os, "nice"):
        os.nice(niceness)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # it is called in workers only
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
