"""Where in a function samples lie: addresses of samples, objdump's listing and debug information put together; nothing missing stops it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.profile.annotation import Annotation, annotate
from dualmem_cli.profile.annotation_section import render_annotation, shown_of
from dualmem_cli.profile.assembly import Instruction, functions_of, parse_listing
from dualmem_cli.profile.engines.perf_script import parse_script
from dualmem_cli.profile.folded import Profile, merge, read_folded, write_folded
from dualmem_cli.profile.line_difference import dropped_prefetches, line_shifts

Fake = Callable[[str, str], Path]
NO_DEBUG = """
if [ $1 = -t ]; then echo '0000000000001150 l     F .text	0000000000000010              visit'; fi
if [ $1 = -d ]; then echo '    1157:	mov'; fi
"""
SYMBOLS = """
a.so:     file format elf64-x86-64

SYMBOL TABLE:
0000000000001000 l    d  .text\t0000000000000000              .text
0000000000001150 l     F .text\t0000000000000010              visit.constprop.0
0000000000001160 g     F .text\t0000000000000008              .hidden run
0000000000001180  w   DF .text\t0000000000000022  GLIBC_2.2.5 vfork
0000000000004000 g     O .data\t0000000000000008              table
"""
LISTING = """
Disassembly of section .text:

0000000000001150 <visit.constprop.0>:
visit():
src/walk <b>.c:1
    1150:\tprefetcht0 (%rcx)
next_of():
/usr/lib/gcc/x86_64-linux-gnu/12/include/xmmintrin.h:1401 (discriminator 3)
inlined by src/walk <b>.c:1 (visit)
    1153:\tprefetcht0 (%rax,%rdx,1)
visit():
src/walk <b>.c:2 (discriminator 1)
    1157:\tmov    (%rax),%rax
    115a:\timul   %rsi,%rax        # a <comment>
"""
OBJDUMP = "case \"$1\" in -t) cat '{symbols}' ;; -T) ;; -d) cat '{listing}' ;; esac"


@pytest.fixture
def library(fake: Fake, tmp_path: Path, profile: Profile) -> Profile:
    """A profile of 100 samples whose leaves lie in an object that a fake objdump knows."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "walk <b>.c").write_text("    prefetch(next);  // </script>\n    sum += *here;\n")
    (tmp_path / "a.so").write_bytes(b"")
    (tmp_path / "symbols").write_text(SYMBOLS)
    (tmp_path / "listing").write_text(LISTING)
    fake("objdump", OBJDUMP.format(symbols=tmp_path / "symbols", listing=tmp_path / "listing"))
    path = str(tmp_path / "a.so")
    return replace(profile, leaves=((path, 0x1150, 5), (path, 0x1158, 30), (path, 0x115A, 40), ("/gone.so", 0x10, 25)))


def test_a_listing_is_read() -> None:
    first, second, third, last = parse_listing(LISTING)
    assert first == Instruction(0x1150, "prefetcht0 (%rcx)", "src/walk <b>.c", 1, "visit")
    assert (second.line, second.function) == (1, "visit"), "an intrinsic has its caller's line"
    assert (third.line, last.line, last.function) == (2, 2, "visit")
    assert last.text == "imul %rsi,%rax # a <comment>"


def test_a_function_that_was_inlined_keeps_its_lines() -> None:
    text = (
        "next_of():\n./a.h:7 (discriminator 2)\ninlined by ./a.c:40 (visit)\n 10:\tnop\ninlined by ./a.c:41 (visit)\n 11:\tnop\n"
    )
    assert [(each.file, each.line, each.function) for each in parse_listing(text)] == [("./a.h", 7, "next_of")] * 2


def test_symbols_are_functions_with_a_size(library: Profile, tmp_path: Path) -> None:
    found = functions_of(tmp_path / "a.so")
    assert [(symbol.name, symbol.begin, symbol.end) for symbol in found] == [
        ("visit.constprop.0", 0x1150, 0x1160),
        ("run", 0x1160, 0x1168),
        ("vfork", 0x1180, 0x11A2),
    ]


def test_samples_belong_to_instructions_and_lines(library: Profile, tmp_path: Path) -> None:
    found = annotate(library, (tmp_path,))
    (visit,) = found.functions
    assert (visit.name, visit.samples) == ("visit", 75)
    assert [each.samples for each in visit.instructions] == [5, 0, 30, 40], "an address inside of an instruction is its own"
    assert [(line.where, line.source, line.samples) for line in found.lines] == [
        ("walk <b>.c:2", "sum += *here;", 70),
        ("walk <b>.c:1", "prefetch(next);  // </script>", 5),
    ]
    assert {(line.function, line.line) for line in found.prefetches} == {("visit", 1)}
    assert found.notes == ()


def test_the_page_escapes_and_folds(library: Profile, tmp_path: Path) -> None:
    text = render_annotation(annotate(library, (tmp_path,)))
    assert "</script>" not in text
    assert "walk &lt;b&gt;.c:2" in text
    assert "# a &lt;comment&gt;" in text
    assert "<details>" in text
    assert "<details open" not in text
    assert "70.0 ± 9.0" in text


def test_long_functions_are_cut_between_samples(library: Profile, tmp_path: Path) -> None:
    one = annotate(library, (tmp_path,)).functions[0].instructions[1]
    many = [replace(one, address=at, samples=int(at in (300, 310))) for at in range(1000)]
    shown = shown_of(many)
    assert [each.address if each else None for each in shown] == [None, *range(294, 317), None]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'bad value' >&2; exit 1", "objdump failed (bad value)"),
        (NO_DEBUG, "build with -g"),
    ],
)
def test_what_is_missing_is_a_note(library: Profile, fake: Fake, script: str, words: str) -> None:
    fake("objdump", script)
    found = annotate(library, ())
    assert found.lines == ()
    assert words in " ".join(found.notes)


def test_without_objdump(library: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (note,) = annotate(library, ()).notes
    assert note.startswith("objdump is not installed")
    assert "apt-get install binutils" in note


def test_a_sampler_without_addresses(profile: Profile) -> None:
    assert annotate(profile, ()).notes == ("pyspy tells no addresses",)


def test_leaves_of_perf_are_those_in_focus() -> None:
    sample = "w 1 1.0: cpu-clock:\n\t  {at} {leaf} ({place})\n\t  20 {caller} (/x/w)\n\n"
    text = (
        sample.format(at="1150", leaf="visit+0x3", place="/x/a b.so (deleted)", caller="dmx_timed_run") * 2
        + sample.format(at="1170", leaf="load", place="/x/a b.so", caller="main")
        + sample.format(at="ffffffff81000000", leaf="irq", place="[kernel.kallsyms]", caller="dmx_timed_run")
    )
    assert parse_script(text.splitlines(), focus=("dmx_timed_run",)).leaves == (("/x/a b.so", 0x1150, 2),)
    assert len(parse_script(text.splitlines(), focus=("nowhere",)).leaves) == 2


def test_no_file_keeps_leaves_and_merging_adds_them(library: Profile) -> None:
    assert read_folded(write_folded(library), source="x").leaves == ()
    assert sorted(count for *_, count in merge([library, library]).leaves) == [10, 50, 60, 80]


def annotated(tmp_path: Path, library: Profile, *, gone: bool) -> Annotation:
    """Of the library, or of one whose prefetches are gone and whose lines lie one further down."""
    folder = tmp_path / ("new" if gone else "old")
    (folder / "src").mkdir(parents=True)
    text = "    sum += *here;\n" if gone else "    prefetch(next);\n    sum += *here;\n"
    (folder / "src" / "walk <b>.c").write_text(("\n" if gone else "") + text)
    listing = "\n".join(line for line in LISTING.splitlines() if not (gone and "prefetcht0" in line))
    (tmp_path / "listing").write_text(listing + "\n")
    return annotate(library, (folder,))


def test_lines_are_matched_by_their_text_and_a_prefetch_that_is_gone_is_found(library: Profile, tmp_path: Path) -> None:
    old, new = annotated(tmp_path, library, gone=False), annotated(tmp_path, library, gone=True)
    shifts = {shift.source: shift for shift in line_shifts(old, new, ratio=1.5, design_effect=1.0)}
    assert shifts["sum += *here;"].samples == (70, 70)
    assert shifts["sum += *here;"].added == pytest.approx(1.5 * 0.7 - 0.7)
    assert shifts["sum += *here;"].low > 0
    assert [(line.function, line.line, line.source) for line in dropped_prefetches(old, new)] == [("visit", 1, "prefetch(next);")]
    assert dropped_prefetches(old, old) == ()
    assert dropped_prefetches(new, old) == ()
