"""Snapshots: one file that holds a store (docs/reference/snapshot.md)."""

import os
from typing import Any

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native.arguments import choice, count64
from dualmem_cli.native.binding import Binding
from dualmem_cli.native.figures import Numa
from dualmem_cli.native.handle import StoreHandle

FilePath = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class SnapshotCalls(StoreHandle):
    """The part of Store that is about files."""

    def save(self, path: FilePath) -> None:
        """Write the store to one file, whole or not at all: to PATH.PID.N.tmp beside it, flushed to the disk, then renamed. Until then, and
        after a failure, an older file is as it was. The same content gives the same bytes, whatever the store's history or machine.

        Other calls may run meanwhile; adding and removing nodes and replacing embeddings wait until the data is written.
        StoreFileError: the file cannot be written. StoreMemoryError."""
        self._native.call(self._lib.dm_store_save, self._live, path_bytes(path))


def load_store(native: Binding, path: FilePath, *, map_embeddings: bool, memory_limit: int | None, numa: Numa) -> Any:
    """A dm_store made from a file; see Store.load."""
    options = native.ffi.new("dm_load_options *")
    options.size = native.ffi.sizeof("dm_load_options")
    options.numa = choice(numa, Numa, "numa")
    options.map_embeddings = bool(map_embeddings)
    if memory_limit is not None:
        options.memory_limit = count64(memory_limit, "memory_limit")
        if not memory_limit:
            raise StoreArgumentError("memory_limit 0: no store is that small; None is for no limit")
    return native.create(native.lib.dm_store_load, "dm_store", path_bytes(path), options)


def path_bytes(path: FilePath) -> bytes:
    """A path as C takes it."""
    try:
        encoded = os.fsencode(path)
    except TypeError:
        raise StoreArgumentError(f"path: {type(path).__name__}, want a string, bytes or a path") from None
    if b"\0" in encoded:
        raise StoreArgumentError("path: has a zero byte, where C takes it to end")
    return encoded
