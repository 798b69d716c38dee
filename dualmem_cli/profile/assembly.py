"""objdump: the instructions of a function, each with the source line that debug information gives it.

Its text is read, not perf annotate's: that is made for a terminal, differs between versions, and calls objdump itself. Debug information
in a file of its own is followed (.gnu_debuglink).
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.profile.engines.engine import refuse
from dualmem_cli.profile.process import run_child

INSTALL = "apt-get install binutils (Debian, Ubuntu), dnf install binutils (Fedora)"
_SETTINGS = {"LC_ALL": "C", "DEBUGINFOD_URLS": ""}
_TIMEOUT_S = 30.0
_SYMBOL = re.compile(r"([0-9a-f]+) (.{7}) (\S+)\t([0-9a-f]+)\s+(?:.*\s)?(\S+)$")
_INSTRUCTION = re.compile(r"\s*([0-9a-f]+):\t(.*)$")
_FUNCTION = re.compile(r"(\S.*)\(\):")
_INLINED = re.compile(r"inlined by (\S.*):(\d+) (?:\(discriminator \d+\) )?\((\S.*)\)")
_INTRINSICS = "intrin.h"
_PLACE = re.compile(r"(\S.*):(\d+)(?: \(discriminator \d+\))?$")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function of an object: where it begins, and behind its end."""

    name: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `file` is "" and `line` 0 where there is no debug information; `function` is what the line is a part of, which may
    have been inlined."""

    address: int
    text: str
    file: str
    line: int
    function: str


def functions_of(path: Path) -> tuple[Symbol, ...]:
    """The functions of an object by address. Raises DualmemError where objdump is not there or cannot read it."""
    found: dict[int, Symbol] = {}
    for table in ("-t", "-T"):  # that of a stripped library is the dynamic one
        for line in _objdump([table, "-w", str(path)]).splitlines():
            entry = _SYMBOL.match(line)
            if entry and "F" in entry[2] and int(entry[4], 16):
                begin = int(entry[1], 16)
                found.setdefault(begin, Symbol(entry[5], begin, begin + int(entry[4], 16)))
    return tuple(found[begin] for begin in sorted(found))


def disassemble(path: Path, symbol: Symbol) -> tuple[Instruction, ...]:
    """The instructions of one function in the order of addresses. Raises DualmemError."""
    span = [f"--start-address={symbol.begin:#x}", f"--stop-address={symbol.end:#x}"]
    return parse_listing(_objdump(["-d", "-l", "--inlines", "-w", "--no-show-raw-insn", *span, str(path)]))


def parse_listing(text: str) -> tuple[Instruction, ...]:
    """Read what `objdump -d -l --inlines --no-show-raw-insn` prints: function and line where they change, and before each instruction into
    what it was inlined. A compiler's intrinsic is one instruction of its caller, and has the caller's line."""
    at, function = ("", 0), ""
    around: list[tuple[str, int, str]] = []
    found: list[Instruction] = []
    for row in text.splitlines():
        if instruction := _INSTRUCTION.match(row):
            own = (*at, function)
            file, line, part_of = own
            if file.endswith(_INTRINSICS):
                file, line, part_of = next((place for place in around if not place[0].endswith(_INTRINSICS)), own)
            found.append(Instruction(int(instruction[1], 16), " ".join(instruction[2].split()), file, line, part_of))
            around = []
        elif inlined := _INLINED.fullmatch(row):
            around.append((inlined[1], int(inlined[2]), inlined[3]))
        elif called := _FUNCTION.fullmatch(row):
            function = called[1]
        elif place := _PLACE.fullmatch(row):
            at = (place[1], int(place[2]))
    return tuple(found)


def _objdump(arguments: Sequence[str]) -> str:
    tool = shutil.which("objdump")
    if tool is None:
        raise refuse("objdump is not installed, so no instruction and no source line is shown", INSTALL)
    done = run_child([tool, *arguments], stdin="", environment=_SETTINGS, timeout_s=_TIMEOUT_S)
    if done.status != 0:
        words = next((line.strip() for _, line in done.lines if line.strip()), f"exit status {done.status}")
        raise refuse(f"objdump failed ({words})", INSTALL)
    return done.text
