"""Kernels inside of this process: for tests against numpy oracles and as a target for py-spy. Never for a verdict.

The only module that touches the cffi extension. A library that crashes takes this process with it, which is why everything that is
measured runs in worker processes instead (measure/worker.py).
"""

import difflib
import importlib.util
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dualmem_cli.errors import BuildError, DualmemError, ExitStatus
from dualmem_cli.measure import table
from dualmem_cli.measure.worker import native_path
from dualmem_cli.model.kernel import Kernel
from dualmem_cli.model.samples import Histogram, Latency

Vectors = ArrayLike | Path | None

_EXTENSION = "_host.abi3.so"
_ROW_ALIGNMENT = 64  # bytes: the promise of dm_matrix

_loaded: list[Any] = []


def _extension() -> Any:
    """The cffi module, loaded once. Raises BuildError when it was not built or does not load."""
    if not _loaded:
        path = native_path(_EXTENSION)
        spec = importlib.util.spec_from_file_location("dualmem_cli._native._host", path)
        if spec is None or spec.loader is None:
            raise BuildError(f"{path} is not an extension module", hint="Run `make build` again.")
        try:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        except ImportError as error:
            raise BuildError(f"{path} does not load: {error}", hint="Run `make build` again.") from None
        _loaded.append(module)
    return _loaded[0]


class _Errors:
    """One error buffer, and the one place where a status becomes an exception."""

    def __init__(self, ffi: Any, lib: Any) -> None:
        self._ffi = ffi
        self.size = lib.DMX_ERROR_SIZE
        self.text = ffi.new("char[]", self.size)

    def check(self, status: int, where: str) -> None:
        if status == 0:
            return
        sentence = self._ffi.string(self.text).decode(errors="replace")
        message = sentence if sentence.startswith(where) else f"{where}: {sentence}"
        raise DualmemError(" ".join(message.split()), status=ExitStatus.MEASUREMENT_FAILED)


class LoadedKernel:
    """One kernel that is set up and can run. Made by Host.kernel; a context manager that tears it down.

    `kernel` is what the library declares; `parameters` every parameter with the value it has here.
    """

    def __init__(self, host: "Host", row: Any, *, kernel: Kernel) -> None:
        self._host = host
        self._ffi, self._lib, self._errors = host._ffi, host._lib, host._errors
        self._row = row
        self._arm = self._ffi.new("dmx_arm *")
        self._kept: list[Any] = []  # arrays and cdata that the arm points into
        self._files: list[Any] = []  # mapped here, unmapped in close
        self._label = f"{kernel.name}/{kernel.variant}"
        self.kernel = kernel
        self.parameters: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def run(self, iterations: int) -> int:
        """Perform the next `iterations` operations; return their checksum."""
        return int(self._lib.dmx_arm_run(self._live(), iterations))

    def latency(self, *, operations: int, passes: int) -> Latency:
        """Clock each of `operations` operations, `passes` times over. Times in ns."""
        if operations < 1 or passes < 1:
            raise DualmemError(f"{self._label}: latencies need at least one operation and one pass")
        arm = self._live()
        made = self._ffi.new("dmx_latency **")
        self._check(self._lib.dmx_latency_open(operations, made, self._errors.text, self._errors.size))
        try:
            for _ in range(passes):
                self._check(self._lib.dmx_latency_pass(made[0], arm, self._errors.text, self._errors.size))
            every, fastest = self._ffi.new("dmx_histogram *"), self._ffi.new("dmx_histogram *")
            self._lib.dmx_latency_read(made[0], every, fastest)
        finally:
            self._lib.dmx_latency_close(made[0])
        return Latency(arm=0, operations=operations * passes, every=_histogram(every), fastest=_histogram(fastest))

    def output(self) -> NDArray[np.float64]:
        """What the last operations left behind, shape (values,); empty for a kernel without output. For neighbours run at
        least one operation per query before."""
        values, count = self._ffi.new("double **"), self._ffi.new("size_t *")
        self._check(self._lib.dmx_arm_output(self._live(), values, count, self._errors.text, self._errors.size))
        if count[0] == 0:
            return np.empty(0)
        copy = np.frombuffer(self._ffi.buffer(values[0], count[0] * 8), dtype=np.float64).copy()
        self._lib.dmx_release(values[0])
        return copy

    def metrics(self) -> dict[str, float]:
        """Every declared metric in its declared unit; NaN for one that is not known."""
        values = self._ffi.new("double[]", len(self.kernel.metrics) + 1)
        self._check(self._lib.dmx_arm_metrics(self._live(), values, self._errors.text, self._errors.size))
        return {metric.name: float(values[index]) for index, metric in enumerate(self.kernel.metrics)}

    def close(self) -> None:
        """Tear down and free. A second call does nothing."""
        self._lib.dmx_arm_close(self._arm)
        for file in self._files:
            self._lib.dmx_file_unmap(file)
        self._files.clear()
        self._kept.clear()

    def _live(self) -> Any:
        if self._arm.state == self._ffi.NULL:
            raise DualmemError(f"{self._label}: this kernel was closed", hint="Use it inside of its `with` block.")
        return self._arm

    def _check(self, status: int) -> None:
        self._errors.check(status, self._label)

    def _set_up(
        self, parameters: Mapping[str, float], data: Vectors, queries: Vectors, *, seed: int, prepared: Path | None
    ) -> None:
        self._check(self._lib.dmx_kernel_supported(self._row, self._errors.text, self._errors.size))
        names = [self._ffi.new("char[]", name.encode()) for name in parameters]
        settings = self._ffi.new("dmx_setting[]", [(name, value) for name, value in zip(names, parameters.values(), strict=True)])
        inputs = self._ffi.new("dmx_inputs *")
        inputs.seed, inputs.settings, inputs.setting_count = seed, settings, len(parameters)
        self._matrix(inputs, "data", data)
        self._matrix(inputs, "queries", queries)
        self._check(self._lib.dmx_arm_open(self._arm, self._row, inputs, self._errors.text, self._errors.size))
        self.parameters = {p.name: float(self._arm.parameters[index]) for index, p in enumerate(self.kernel.parameters)}
        if prepared is not None:
            self._use_prepared(prepared)
        elif self.kernel.prepare:
            self._prepare()
        self._check(self._lib.dmx_arm_setup(self._arm, self._errors.text, self._errors.size))

    def _prepare(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "prepared"
            self._check(self._lib.dmx_arm_prepare(self._arm, str(path).encode(), self._errors.text, self._errors.size))
            self._use_prepared(path)  # the mapping outlives the name of the file

    def _use_prepared(self, path: Path) -> None:
        self._check(self._lib.dmx_arm_use_prepared(self._arm, str(path).encode(), self._errors.text, self._errors.size))

    def _matrix(self, inputs: Any, name: str, vectors: Vectors) -> None:
        match vectors:
            case None:
                pass
            case Path():
                file, matrix = self._ffi.new("dmx_file *"), self._ffi.new("dm_matrix *")
                path = str(vectors).encode()
                self._check(self._lib.dmx_matrix_map(path, file, matrix, self._errors.text, self._errors.size))
                self._files.append(file)
                setattr(inputs, name, matrix[0])
            case _:
                rows, columns, padded = _padded(vectors, name)
                values = self._ffi.cast("float *", padded.ctypes.data) if rows else self._ffi.NULL
                self._kept.append(padded)
                setattr(inputs, name, (values, rows, columns, padded.shape[1]))


class Host:
    """A kernel library opened in this process: a context manager; `library` is what it says of itself.

    with Host.load(path) as host, host.kernel("dot", "plain", parameters={}, data=x, queries=q, seed=1) as kernel:
        kernel.run(10)
    """

    def __init__(self, path: Path, handle: Any) -> None:
        module = _extension()
        self._ffi, self._lib = module.ffi, module.lib
        self._errors = _Errors(self._ffi, self._lib)
        self._handle = handle
        self._kernels: list[LoadedKernel] = []
        self.library = table.describe(self._ffi, self._lib, handle, path=str(path))

    @classmethod
    def load(cls, library_path: Path) -> Self:
        """Open a kernel library. Raises DualmemError when it is not one, or was made for another version."""
        module = _extension()
        errors = _Errors(module.ffi, module.lib)
        handle = module.ffi.new("dmx_library **")
        path = library_path.absolute()
        errors.check(
            module.lib.dmx_library_open(str(path).encode(), module.ffi.NULL, 0, handle, errors.text, errors.size), str(path)
        )
        return cls(path, handle[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Tear down every kernel of this library, then unload it. A second call does nothing."""
        for kernel in self._kernels:
            kernel.close()
        self._kernels.clear()
        self._lib.dmx_library_close(self._handle)
        self._handle = self._ffi.NULL

    def kernel(
        self,
        name: str,
        variant: str,
        *,
        parameters: Mapping[str, float],
        data: Vectors,
        queries: Vectors,
        seed: int,
        prepared: Path | None = None,
    ) -> LoadedKernel:
        """Set up a kernel. `data` and `queries`: arrays of shape (rows, columns), taken as float32 and copied, or the path of a matrix
        file, mapped. What the kernel prepares lies in `prepared`, or is made first. Raises DualmemError for an unknown name and whatever
        the kernel refuses."""
        if self._handle == self._ffi.NULL:
            raise DualmemError(f"{self.library.name}: this library was closed", hint="Use it inside of its `with` block.")
        kernel = self.library.kernel(name, variant)
        if kernel is None:
            raise DualmemError(f"{self.library.path} has no kernel {name}/{variant}", hint=self._nearest_kernel(name, variant))
        unknown = [key for key in parameters if kernel.parameter(key) is None]
        if unknown:
            raise DualmemError(f"{name}/{variant} has no parameter {unknown[0]}", hint=_nearest_parameter(kernel, unknown[0]))
        row = self._lib.dmx_library_kernel(self._handle, name.encode(), variant.encode())
        loaded = LoadedKernel(self, row, kernel=kernel)
        try:
            loaded._set_up(parameters, data, queries, seed=seed, prepared=prepared)
        except BaseException:
            loaded.close()
            raise
        self._kernels.append(loaded)
        return loaded

    def _nearest_kernel(self, name: str, variant: str) -> str:
        known = [f"{kernel.name}/{kernel.variant}" for kernel in self.library.kernels]
        near = difflib.get_close_matches(f"{name}/{variant}", known, n=1)
        return f"Did you mean {near[0]}?" if near else f"It has {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}."


def _nearest_parameter(kernel: Kernel, name: str) -> str:
    known = [parameter.name for parameter in kernel.parameters]
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"It has {', '.join(known) or 'none'}."


def _padded(vectors: ArrayLike, name: str) -> tuple[int, int, NDArray[np.float32]]:
    """Rows, columns, and a copy as dm_matrix wants it: 64-byte aligned rows, zero padding, at least one row of storage."""
    array = np.asarray(vectors, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DualmemError(f"{name} has the shape {array.shape}", hint="Give a matrix: rows x columns.")
    rows, columns = array.shape
    stride = math.ceil(columns / 16) * 16
    raw = np.zeros(max(rows, 1) * stride * 4 + _ROW_ALIGNMENT, dtype=np.uint8)
    begin = -raw.ctypes.data % _ROW_ALIGNMENT
    padded = raw[begin : begin + max(rows, 1) * stride * 4].view(np.float32).reshape(-1, stride)
    padded[:rows, :columns] = array
    return rows, columns, padded


def _histogram(raw: Any) -> Histogram:
    counts = np.array(list(raw.buckets), dtype=np.uint64)
    return Histogram(
        count=raw.count,
        sum_ns=raw.sum_ns,
        max_ns=raw.max_ns,
        buckets=tuple((int(index), int(counts[index])) for index in np.flatnonzero(counts)),
    )
