"""A kernel table read in this process, through the host's C functions: what the worker's `describe` says, without a worker."""

from typing import Any

from dualmem_cli.model.kernel import Kernel, Library, Output, Parameter
from dualmem_cli.model.metric import Better, Metric, Scope

# In the order of the constants of dm_kernel.h.
_OUTPUTS = (Output.NONE, Output.VALUES, Output.NEIGHBOURS)
_BETTER = (Better.NEITHER, Better.LOWER, Better.HIGHER)
_SCOPES = (Scope.CASE, Scope.MACHINE)


def describe(ffi: Any, lib: Any, handle: Any, *, path: str) -> Library:
    """The library behind `handle` (a dmx_library *), opened from `path`."""
    raw = lib.dmx_library_table(handle)
    return Library(
        path=path,
        abi=(raw.abi_major, raw.abi_minor),
        name=_text(ffi, raw.name),
        version=_text(ffi, raw.version),
        compiler=_text(ffi, raw.compiler),
        flags=_text(ffi, raw.flags),
        revision=_text(ffi, raw.revision),
        kernels=tuple(_kernel(ffi, lib, raw.kernels[index]) for index in range(raw.kernel_count)),
    )


def _text(ffi: Any, pointer: Any) -> str:
    return str(ffi.string(pointer).decode(errors="replace")) if pointer != ffi.NULL else ""


def _kernel(ffi: Any, lib: Any, raw: Any) -> Kernel:
    reason = ffi.new("char[]", lib.DMX_ERROR_SIZE)
    supported = lib.dmx_kernel_supported(raw, reason, lib.DMX_ERROR_SIZE) == 0
    # Never raw.parameters[i]: the stride is the library's, not that of the header we were compiled with.
    parameters = (lib.dmx_kernel_parameter(raw, index) for index in range(raw.parameter_count))
    metrics = (lib.dmx_kernel_metric(raw, index) for index in range(raw.metric_count))
    return Kernel(
        name=_text(ffi, raw.name),
        variant=_text(ffi, raw.variant),
        summary=_text(ffi, raw.summary),
        tolerance=raw.tolerance,
        output=_OUTPUTS[raw.output],
        needs_data=bool(raw.needs_data),
        prepare=raw.prepare != ffi.NULL,
        run_each=raw.run_each != ffi.NULL,
        supported=supported,
        reason="" if supported else _text(ffi, reason),
        parameters=tuple(_parameter(ffi, parameter) for parameter in parameters),
        metrics=tuple(_metric(ffi, metric) for metric in metrics),
    )


def _parameter(ffi: Any, raw: Any) -> Parameter:
    return Parameter(
        name=_text(ffi, raw.name),
        default=raw.default_value,
        minimum=raw.minimum,
        maximum=raw.maximum,
        integer=bool(raw.integer),
        meaning=_text(ffi, raw.meaning),
    )


def _metric(ffi: Any, raw: Any) -> Metric:
    return Metric(
        name=_text(ffi, raw.name),
        unit=_text(ffi, raw.unit),
        better=_BETTER[raw.better],
        scope=_SCOPES[raw.scope],
        meaning=_text(ffi, raw.meaning),
    )
