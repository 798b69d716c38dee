"""Dask's distributed, imported when a fleet is asked for, quiet, and with its failures as one line."""

import contextlib
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from dualmem_cli.errors import DualmemError, ExitStatus

_CONNECT_S = 5.0
# Dask looks after itself many times a second. Beside a measurement once in a while is enough.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "2s",
    "distributed.admin.tick.limit": "60s",
    "distributed.admin.system-monitor.interval": "10s",
}


class FleetError(DualmemError):
    """A fleet that cannot be used: nobody answers, nobody can do it, or the versions differ."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint, status=ExitStatus.MEASUREMENT_FAILED)


def distributed() -> ModuleType:
    """The package. Raises FleetError where it is not installed."""
    try:
        import distributed as found
    except ImportError as error:
        raise FleetError(
            f"a fleet needs Dask's distributed ({error})", hint="Install it: pip install 'dualmem[fleet]'."
        ) from None
    for name in ("distributed", "distributed.client", "distributed.worker", "distributed.core", "distributed.comm", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters of it is said by this package, once
    return found


def quiet() -> contextlib.AbstractContextManager[None]:
    """Dask's settings for a worker that measures."""
    import dask

    settings: contextlib.AbstractContextManager[None] = dask.config.set(QUIET)
    return settings


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler at `address`. Raises FleetError."""
    found = distributed()
    # A client that an address stopped half-way would wait 10 s for itself when it is thrown away, and end in a traceback.
    kind = type("Client", (found.Client,), {"__del__": lambda _: None})
    try:
        client = kind(address, timeout=_CONNECT_S, set_as_default=False, name="dualmem")
    except (OSError, TimeoutError, ValueError, TypeError, ImportError) as error:
        raise unreachable(address, error) from None
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # a scheduler that is gone cannot be told good-bye
            client.close(timeout=2.0)


def unreachable(address: str, error: BaseException) -> FleetError:
    """What to say of a scheduler that does not answer."""
    why = (str(error).splitlines() or [type(error).__name__])[0]
    return FleetError(
        f"{address}: no scheduler answers there ({why.rstrip('.')})",
        hint="Start one: dask scheduler; its address is like tcp://host:8786.",
    )
