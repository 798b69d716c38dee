"""The threads that one call may use."""

from typing import Any

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native.arguments import count
from dualmem_cli.native.binding import Binding, load
from dualmem_cli.native.owned import Owned


class Team(Owned):
    """`threads` threads, the calling one included, 1..256. A call that takes a team gives the same result, bit for bit, with any team.

    A team serves one call at a time: a second one waits. It belongs to no store. It ends with its `with` block, or with the last
    reference to it; a call that runs on it is finished first.
    """

    _kind = "team"

    def __init__(self, threads: int) -> None:
        native = load()
        made = native.create(native.lib.dm_team_create, "dm_team", count(threads, "threads"))
        super().__init__(native.ffi.gc(made, native.lib.dm_team_destroy))
        self.size = int(native.lib.dm_team_size(made))
        """Threads, the calling one included."""

    def close(self) -> None:
        """End the threads. A second call does nothing."""
        super().close()

    @property
    def handle(self) -> Any:
        """The dm_team, for a call. StoreClosedError after close()."""
        return self._live


def team_handle(native: Binding, team: Team | None) -> Any:
    """What C takes for a team: NULL for the calling thread alone."""
    if team is None:
        return native.ffi.NULL
    if not isinstance(team, Team):
        raise StoreArgumentError(f"team: {type(team).__name__}, want a Team or None")
    return team.handle
