"""The threads that one call may use."""

from types import TracebackType
from typing import Any, Self

from dualmem_cli.errors import StoreClosedError
from dualmem_cli.native.arguments import count
from dualmem_cli.native.binding import load


class Team:
    """`threads` threads, the calling one included, 1..256. A call that takes a team gives the same result, bit for bit, with any team.

    A team serves one call at a time: a second one waits. It belongs to no store. It ends with its `with` block, or with the last
    reference to it; a call that runs on it is finished first.
    """

    def __init__(self, threads: int) -> None:
        native = load()
        made = native.create(native.lib.dm_team_create, "dm_team", count(threads, "threads"))
        self._handle: Any = native.ffi.gc(made, native.lib.dm_team_destroy)
        self.size = int(native.lib.dm_team_size(made))
        """Threads, the calling one included."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the threads. A second call does nothing."""
        self._handle = None

    @property
    def handle(self) -> Any:
        """The dm_team, for a call. StoreClosedError after close()."""
        handle = self._handle
        if handle is None:
            raise StoreClosedError("this team was closed", hint="Use it inside of its `with` block.")
        return handle
