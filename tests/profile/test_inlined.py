"""Which functions an address belongs to, inlined ones included, in libraries that are compiled here."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.engines.inlined import inline_chains, names_in, outermost, segments, unmatched

SOURCE = """
static inline __attribute__((always_inline)) int leaf(int x) { __asm__ volatile("nop" : "+r"(x)); return x * 3; }
static inline __attribute__((always_inline)) int middle(int x) { return leaf(x) + 1; }
int outer(int x) { return middle(x) + 2; }
int plain(int x) { return x + 4; }
"""
NEEDED = ("cc", "nm", "objdump", "addr2line", "readelf", "strip", "objcopy")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not there: apt-get install build-essential")
    folder = tmp_path_factory.mktemp("a folder")
    (folder / "x.c").write_text(SOURCE)
    library = folder / "x.so"
    subprocess.run(["cc", "-O2", "-g1", "-shared", "-fPIC", "-o", library, folder / "x.c"], check=True)
    return library


def addresses(library: Path, name: str) -> list[int]:
    told = subprocess.run(["objdump", "-d", f"--disassemble={name}", library], capture_output=True, text=True, check=True).stdout
    return [int(line.split(":")[0], 16) for line in told.splitlines() if line.startswith("    ") and ":\t" in line]


def test_chains(built: Path) -> None:
    outer, plain = addresses(built, "outer"), addresses(built, "plain")
    chains = inline_chains(built, {*outer, *plain})
    assert {chains[at] for at in plain} == {("plain",)}
    assert {chains[at][0] for at in outer} == {"outer"}
    assert ("outer", "middle", "leaf") in {chains[at] for at in outer}
    assert inline_chains(built, set()) == {}
    assert outermost(("outer", "middle", "leaf"), ("m*", "leaf")) == "middle"
    assert outermost(("outer", "middle"), ("midd",)) == ""


def test_debug_information_in_a_file_of_its_own_and_none(built: Path, tmp_path: Path) -> None:
    at = addresses(built, "outer")
    kept, bare = tmp_path / "x.debug", tmp_path / "bare.so"
    subprocess.run(["objcopy", "--only-keep-debug", "--compress-debug-sections", built, kept], check=True)
    subprocess.run(["strip", "--strip-debug", "-o", bare, built], check=True)
    assert inline_chains(kept, at) == inline_chains(built, at)
    assert names_in(kept) >= {"outer", "middle", "leaf"}
    for ask in (lambda: inline_chains(bare, at), lambda: names_in(bare)):
        with pytest.raises(DualmemError, match=r"bare\.so has no debug information, so inlined functions are not seen") as caught:
            ask()
        assert "-g1" in caught.value.hint


def test_names_that_no_function_has(built: Path) -> None:
    assert unmatched(("leaf", "out*", "laef", "x_*"), names_in(built)) == ("laef", "x_*")
    assert unmatched(("fan",), {"dm_fan"}) == ()  # a linker keeps the one in the other


def test_segments_are_those_of_readelf(built: Path, tmp_path: Path) -> None:
    told = subprocess.run(["readelf", "-lW", built], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines() if line.strip().startswith("LOAD")]
    assert segments(built) == tuple((int(row[1], 16), int(row[4], 16), int(row[2], 16)) for row in rows)
    (tmp_path / "text").write_text("no object")
    assert segments(tmp_path / "text") == ()


def test_without_the_tools(built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DualmemError, match="readelf is not installed") as caught:
        names_in(built)
    assert "apt-get install binutils" in caught.value.hint
