"""The cffi module `_store`, its errors, and arrays over the library's memory.

API mode: the C compiler checked every declaration against dualmem.h, and a call costs half of what it costs through dlopen (native/python,
docs/how-to/store-from-python.md).
"""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

import dualmem_cli
from dualmem_cli.errors import (
    BuildError,
    StoreArgumentError,
    StoreDataError,
    StoreError,
    StoreFileError,
    StoreMemoryError,
    StoreUnsupportedError,
)

_EXTENSION = "_store.abi3.so"
_ERROR_SIZE = 512  # bytes; longer than any sentence of the library

Record = TypeVar("Record", bound=NamedTuple)


@dataclass(frozen=True, slots=True)
class Binding:
    """The library's functions and constants (`lib`), and what makes and reads C data (`ffi`)."""

    ffi: Any
    lib: Any

    def call(self, function: Callable[..., int], *arguments: Any) -> None:
        """Call a function that returns a status and takes a buffer for its sentence last; raise what the status means."""
        sentence = self.ffi.new("char[]", _ERROR_SIZE)
        status = function(*arguments, sentence, _ERROR_SIZE)
        if status:
            raise self._error(status)(self.ffi.string(sentence).decode(errors="replace"))

    def create(self, function: Callable[..., int], kind: str, *arguments: Any) -> Any:
        """Call a function that makes a `kind`, given through the pointer before its sentence."""
        made = self.ffi.new(f"{kind} **")
        self.call(function, *arguments, made)
        return made[0]

    def view(self, pointer: Any, count: int, dtype: np.dtype[Any], *, release: Callable[[Any], object]) -> NDArray[Any]:
        """A read-only array of `count` elements at `pointer`, not a copy. `release` is called once, with the pointer, when the last array
        over this memory has gone; whatever it holds lives until then."""
        memory = memoryview(self.ffi.buffer(self.ffi.gc(pointer, release), count * dtype.itemsize))
        return np.frombuffer(memory.toreadonly(), dtype=dtype)

    def _error(self, status: int) -> type[StoreError]:
        return {
            self.lib.DM_ERROR_ARGUMENT: StoreArgumentError,
            self.lib.DM_ERROR_MEMORY: StoreMemoryError,
            self.lib.DM_ERROR_UNSUPPORTED: StoreUnsupportedError,
            self.lib.DM_ERROR_IO: StoreFileError,
            self.lib.DM_ERROR_CORRUPT: StoreDataError,
        }.get(status, StoreError)


def record(kind: type[Record], struct: Any) -> Record:
    """A C struct as the named tuple with the same fields."""
    return kind(*(getattr(struct, field) for field in kind._fields))


@functools.cache
def load() -> Binding:
    """The binding, loaded at the first use. Raises BuildError when it was not built or does not load."""
    path = _path()
    spec = importlib.util.spec_from_file_location("dualmem_cli._native._store", path)
    if spec is None or spec.loader is None:
        raise BuildError(f"{path} is not an extension module", hint="Run `make build` again.")
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as error:
        raise BuildError(f"{path} does not load: {error}", hint="Run `make build` again.") from None
    return Binding(ffi=module.ffi, lib=module.lib)


def _path() -> Path:
    """Where the module lies, beside the `links` of the library that it loads: next to the sources, or in site-packages."""
    for root in dualmem_cli.__path__:
        candidate = Path(root) / "_native" / _EXTENSION
        if candidate.exists():
            return candidate.resolve()
    raise BuildError(
        f"{_EXTENSION} is not there: the native part was not built",
        hint="In a checkout run `make build`; else install the package again with pip.",
    )
