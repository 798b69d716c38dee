"""Which functions an instruction belongs to: the one that the linker knows and those that the compiler put into it.

An inlined function has no frame of its own and no symbol, so a sampler's stacks and callgrind's functions do not show it. Debug
information does, from `-g1` on, for every address. It is read through binutils: addr2line for the chain of functions at an address,
readelf for the names there are, which tells a name that is misspelt from one that is merely never run.
"""

import re
import shutil
import struct
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from dualmem_cli.profile.engines.engine import refuse
from dualmem_cli.profile.frames import normalise
from dualmem_cli.profile.process import run_child

TOOLS = ("addr2line", "readelf")
INSTALL = "apt-get install binutils (Debian, Ubuntu), dnf install binutils (Fedora)"
_UNKNOWN = "??"
_STRING = re.compile(r"^\s*\[\s*[0-9a-f]+\]\s+([A-Za-z_]\w*)", re.MULTILINE)
_SECTION = re.compile(r"\.z?debug_info\b")
_LOAD = 1  # p_type of a segment that is mapped
_TIMEOUT_S = 120.0


def inline_chains(symbols: Path, addresses: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The functions at each address of a shared object, the one that the linker knows first and the innermost inlined one last; empty
    where nothing is known. `symbols` is the object, or the file with its debug information. Raises DualmemError without binutils, or
    without debug information: no inlined function would be found, and its time would be taken for somebody else's."""
    if not addresses:
        return {}
    _require_debug(symbols)
    text = _tool_output(
        "addr2line", ["-a", "-f", "-i", "-e", str(symbols)], stdin="".join(f"{a:#x}\n" for a in sorted(addresses))
    )
    chains: dict[int, tuple[str, ...]] = {}
    at, names = -1, list[str]()
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("0x"):
            at, names = int(line, 16), []
            chains[at] = ()
            continue
        next(lines, "")  # file and line
        if line != _UNKNOWN:
            names.insert(0, normalise(line, ""))
            chains[at] = tuple(names)
    return chains


def names_in(symbols: Path) -> frozenset[str]:
    """The names that an object's symbols and debug information hold. Raises what `inline_chains` raises."""
    _require_debug(symbols)
    strings = ["-p", ".debug_str", "-p", ".strtab", "-p", ".dynstr"]
    return frozenset(_STRING.findall(_tool_output("readelf", ["-z", "-W", *strings, str(symbols)])))


def unmatched(patterns: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """The patterns that fit none of the names. A linker may keep a name as the end of a longer one."""
    return tuple(p for p in patterns if not any(fnmatchcase(name, p) or ("*" not in p and name.endswith(p)) for name in names))


def outermost(chain: Sequence[str], patterns: Sequence[str]) -> str:
    """The first function of a chain that a pattern fits, or "": what is inside of it is there because of it."""
    return next((name for name in chain if any(fnmatchcase(name, pattern) for pattern in patterns)), "")


def segments(mapped: Path) -> tuple[tuple[int, int, int], ...]:
    """What a 64-bit object's file gives to memory: (offset in the file, bytes, address), from its program headers; empty where the file
    is not one."""
    with mapped.open("rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
            return ()
        (start,) = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        file.seek(start)
        table = file.read(size * count)
    found = []
    for at in range(0, len(table) - size + 1, size):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", table, at)
        if kind == _LOAD:
            found.append((offset, length, address))
    return tuple(found)


def _require_debug(symbols: Path) -> None:
    if not _SECTION.search(_tool_output("readelf", ["-S", "-W", str(symbols)])):
        raise refuse(
            f"{symbols.name} has no debug information, so inlined functions are not seen",
            "Build it with -g1 and do not strip it.",
        )


def missing_tools() -> str:
    """Which of the tools that this takes is not here, "" for none."""
    return ", ".join(name for name in TOOLS if shutil.which(name) is None)


def _tool_output(name: str, options: Sequence[str], *, stdin: str = "") -> str:
    tool = shutil.which(name)
    if tool is None:
        raise refuse(f"{name} is not installed, so inlined functions are not seen", INSTALL)
    done = run_child([tool, *options], stdin=stdin, environment={"LC_ALL": "C", "DEBUGINFOD_URLS": ""}, timeout_s=_TIMEOUT_S)
    if done.status != 0:
        raise refuse(f"{name} failed ({done.text.strip().splitlines()[0] if done.text.strip() else done.status})", INSTALL)
    return done.text
