"""Frame names: one stable form, whatever sampler they come from.

A frame is written `function (place)`; place is a Python file ("measure/loop.py") or the basename of a shared object ("libdualmem.so").
Addresses, offsets, line numbers, symbol versions and the marks of a compiler's copies go: they change with every build and would
split one function into many boxes.
What nobody can act on is grouped: the layers between Python and C, the interpreter, the kernel.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

KERNEL = "[kernel]"
CPYTHON = "[cpython]"
CFFI = "[cffi]"
LIBFFI = "[libffi]"
VDSO = "[vdso]"
IMPORT = "[import]"
UNKNOWN = "[unknown]"

_ADDRESS = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)
_OFFSET = re.compile(r"\+0x[0-9a-f]+$", re.IGNORECASE)
_SYMBOL_VERSION = re.compile(r"@@?[A-Za-z_]+_[0-9.]+$")
# What gcc and clang append to the copies they make of a function, in one build and not in the next.
_CLONE = re.compile(r"(\.(constprop|isra|part|cold|lto_priv|llvm)(\.\d+)?)+$")
_LINE = re.compile(r":\d+$")
_INTERPRETER = re.compile(r"(lib)?python3(\.\d+)?[a-z]*(\.so[.\d]*)?")
_INTERPRETER_SYMBOL = re.compile(r"_?Py[A-Z_]\w*")
_LIBFFI_SYMBOL = re.compile(r"(cffistatic_)?ffi_(call|closure|prep)\w*")
# Sources of the interpreter's core: with debug information a sampler gives them, and not the object, as a frame's place. Names that
# anybody's library may have (call.c, object.c, gc.c) are not here: there the symbol's own prefix has to tell.
_INTERPRETER_SOURCES = frozenset(
    """
    ceval.c ceval_macros.h generated_cases.c.h pycore_call.h pycore_ceval.h bytesobject.c classobject.c codeobject.c
    descrobject.c dictobject.c frameobject.c funcobject.c genobject.c iterobject.c listobject.c longobject.c methodobject.c
    moduleobject.c obmalloc.c rangeobject.c setobject.c sliceobject.c tupleobject.c typeobject.c unicodeobject.c
    weakrefobject.c bltinmodule.c gcmodule.c pylifecycle.c pythonrun.c specialize.c sysmodule.c
    """.split()  # noqa: SIM905
)
_USER_REGIONS = frozenset({"[vsyscall]", "[heap]", "[stack]", "[anon]", "[uprobes]"})


class Kind(StrEnum):
    """Whose code a frame is; what the flame graph colours by."""

    NATIVE = "native"
    PYTHON = "python"
    RUNTIME = "runtime"
    KERNEL = "kernel"
    UNKNOWN = "unknown"


def split_place(text: str) -> tuple[str, str]:
    """Split `function (place)` at the bracket that the final one closes; place is "" where there is none.

    Names hold brackets themselves (`operator()(int)`), and so do places (`a.so (deleted)`), so neither the first nor the last
    opening bracket is the right one: they are counted from the end.
    """
    if not text.endswith(")"):
        return text, ""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] == ")") - (text[at] == "(")
        if depth == 0:
            return (text[: at - 1], text[at + 1 : -1]) if at > 0 and text[at - 1] == " " else (text, "")
    return text, ""


def normalise(name: str, place: str) -> str:
    """Give the stable form of a frame, from its function name and the file or object it lies in (either may be "")."""
    place = _LINE.sub("", place.removesuffix(" (deleted)").strip())
    place = place.rpartition("/")[2] if place.startswith("/") else place
    place = "" if place in ("?", UNKNOWN, "//anon") else place
    name = _CLONE.sub("", _SYMBOL_VERSION.sub("", _OFFSET.sub("", name.strip())))
    if place == VDSO:
        return VDSO
    if place.startswith("<frozen importlib"):
        return IMPORT
    if place.startswith("[") and place.endswith("]") and place not in _USER_REGIONS and not place.startswith("[JIT"):
        return KERNEL
    if place.startswith("libffi.") or _LIBFFI_SYMBOL.fullmatch(name):
        return LIBFFI
    if place.startswith("_cffi_backend.") or name.startswith("_cffi_f_"):
        return CFFI
    if _INTERPRETER.fullmatch(place) or place in _INTERPRETER_SOURCES:
        return CPYTHON
    if place.endswith((".c", ".h")) and _INTERPRETER_SYMBOL.fullmatch(name):
        return CPYTHON
    if name in ("", UNKNOWN) or _ADDRESS.fullmatch(name):
        return f"{UNKNOWN} ({place})" if place else UNKNOWN
    return f"{name} ({place})" if place else name


def is_unknown(frame: str) -> bool:
    """Whether the sampler could not name the frame's function."""
    return frame.startswith(UNKNOWN)


def is_group(frame: str) -> bool:
    """Whether a frame stands for many (the kernel, an interpreter, an object without symbols) rather than for one function."""
    return frame.startswith("[")


def kind_of(frame: str) -> Kind:
    """Say whose code a normalised frame is."""
    if is_unknown(frame):
        return Kind.UNKNOWN
    if frame == KERNEL:
        return Kind.KERNEL
    if is_group(frame):
        return Kind.RUNTIME
    place = split_place(frame)[1]
    return Kind.PYTHON if place.endswith(".py") or place.startswith("<") else Kind.NATIVE


def collapse(stack: Iterable[str]) -> tuple[str, ...]:
    """Merge neighbours that are the same group; real recursion is kept, a function that calls itself is news."""
    kept: list[str] = []
    for frame in stack:
        if not (kept and kept[-1] == frame and is_group(frame)):
            kept.append(frame)
    return tuple(kept)
