"""Things of the library that end with their `with` block."""

from types import TracebackType
from typing import Any, Self

from dualmem_cli.errors import StoreClosedError


class Owned:
    """Something made by the library, owned by reference counting: `_handle` is a cdata that frees it when the last reference goes. A call
    in another thread holds one through its arguments, so closing needs no lock and no count: it lets go of one reference."""

    _kind: str  # "this ... was closed"

    def __init__(self, handle: Any) -> None:
        self._handle: Any = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it; its memory is freed when the last call in another thread has gone. A second call does nothing."""
        self._handle = None

    @property
    def _live(self) -> Any:
        handle = self._handle
        if handle is None:
            raise StoreClosedError(f"this {self._kind} was closed", hint="Use it inside of its `with` block.")
        return handle


def destroy_with(destroy: Any, _store: Any, made: Any) -> None:
    """For ffi.gc: frees what was made for a store. That this refers to the store keeps it until then."""
    destroy(made)
