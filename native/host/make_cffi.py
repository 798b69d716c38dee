"""Writes the C source of the cffi module from the headers themselves: there is no second copy of a declaration to go stale.

    python make_cffi.py OUTPUT.c HEADER.h...

Of each header the text between `cffi:begin` and `cffi:end` is taken. API mode: the C compiler checks every type and size.
"""

import re
import sys
from pathlib import Path

import cffi

SLICE = re.compile(r"/\* cffi:begin.*?\*/(.*?)/\* cffi:end.*?\*/", re.DOTALL)


def declarations(header: Path) -> str:
    """Return what is between the marks of `header`; a header without them is a mistake."""
    slices = SLICE.findall(header.read_text(encoding="utf-8"))
    if not slices:
        raise SystemExit(f"{header}: no text between cffi:begin and cffi:end")
    return "\n".join(slices)


def main(output: str, *headers: str) -> None:
    """Write the source of the module `_host`."""
    ffi = cffi.FFI()
    for header in headers:
        ffi.cdef(declarations(Path(header)))
    # The include directories of the build know both folders; the last part of the path is enough for host.h.
    ffi.set_source("_host", '#include "dualmem/dm_kernel.h"\n#include "host.h"\n')
    target = Path(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    ffi.emit_c_code(str(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
