"""What stands in docs was measured on somebody's machine, and says nothing of its folders."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PUBLISHED = sorted(path for path in DOCS.rglob("*") if path.suffix in {".json", ".csv"})
ABSOLUTE = re.compile(r'(?:^|[",])(/[\w.-]+/[^",\\]*)', re.MULTILINE)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: str(path.relative_to(DOCS)))
def test_no_record_names_a_folder_of_the_machine_it_was_made_on(path: Path) -> None:
    assert ABSOLUTE.findall(path.read_text()) == []


def test_an_absolute_path_would_be_seen() -> None:
    for text in ('{"path":"/work/x/a.toml"}', r'{"source":"file = \"/home/me/a.npy\"\n"}', "began,path\n1,/root/a/b.csv\n"):
        assert len(ABSOLUTE.findall(text)) == 1
    assert ABSOLUTE.findall('{"unit":"1/s","file":"../../scenarios/data/a.npy"}') == []
