"""docs/how-to/profile.md quotes what the program says: the quotes are compared with the program."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.profile import frames
from dualmem_cli.profile.folded import Profile, half_width

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "profile.md").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "dualmem_cli" / "profile").rglob("*.py")))


def test_the_line(profile: Profile) -> None:
    seen = replace(
        profile,
        sampler="perf 6.1.187",
        event="cpu-clock",
        rate_asked=999.0,
        rate_achieved=999.0,
        samples=1003,
        errors=0,
        outside=1,
    )
    assert f"    {seen.line()}\n" in GUIDE


def test_the_half_widths() -> None:
    assert "1,000 samples know 50 % to ± 3.1 and 5 % to\n± 1.4" in GUIDE
    assert [f"{half_width(share, 1000) * 100:.1f}" for share in (0.5, 0.05)] == ["3.1", "1.4"]


def test_the_messages() -> None:
    table = GUIDE.partition("## When it does not work")[2]
    messages = re.findall(r"`([^`]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    assert len(messages) == 14
    for message in messages:
        engine, colon, words = message.partition(": ")
        words = re.sub(r"\(?(paranoid )?is \d\)?$", "", words if colon and engine in ("perf", "pyspy", "callgrind") else message)
        assert words in SOURCES, message


@pytest.mark.parametrize("group", ["CFFI", "LIBFFI", "CPYTHON", "IMPORT", "KERNEL", "VDSO"])
def test_the_groups(group: str) -> None:
    assert f"`{getattr(frames, group)}`" in GUIDE
