"""Writes the C source of the cffi module `_store` from the public headers themselves: there is no second copy of a declaration to go stale.

    python make_store_cffi.py OUTPUT.c HEADER.h...

Of each header the text between `cffi:begin` and `cffi:end` is taken, as the host's make_cffi.py does; then what a C compiler would do
for cffi, which reads neither macros nor function bodies: DM_API goes, a static inline function becomes its declaration (the module calls
the function in the header), and `#define NAME value` a constant whose value the C compiler fills in. So a function that is added to
the header is there for Python without another line.
"""

import re
import sys
from pathlib import Path

import cffi

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))
from make_cffi import declarations  # noqa: E402

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_INLINE = re.compile(r"^static inline ([^{]*?)\s*\{\n.*?^\}$", re.DOTALL | re.MULTILINE)
_DEFINE = re.compile(r"^[ \t]*#define (\w+) +(\S.*?)[ \t]*$", re.MULTILINE)


def _constant(match: re.Match[str]) -> str:
    """A macro's declaration: one with a decimal point is a double, any other an integer."""
    name, value = match.groups()
    return f"static const double {name};" if "." in value else f"#define {name} ..."


def plain(text: str) -> str:
    """Return what cffi can read of a header's text; a preprocessor line that is left over is a mistake."""
    text = _COMMENT.sub("", text).replace("DM_API ", "")
    text = _DEFINE.sub(_constant, _INLINE.sub(r"\1;", text))
    for line in text.splitlines():
        if line.lstrip().startswith("#") and not line.endswith(" ..."):
            raise SystemExit(f"between cffi:begin and cffi:end stands a line that cffi cannot read: {line.strip()}")
    return text


def main(output: str, *headers: str) -> None:
    """Write the source of the module `_store`."""
    ffi = cffi.FFI()
    for header in headers:
        ffi.cdef(plain(declarations(Path(header))))
    ffi.set_source("_store", "".join(f'#include "dualmem/{Path(header).name}"\n' for header in headers))
    target = Path(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    ffi.emit_c_code(str(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
