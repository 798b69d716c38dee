"""Golden files: what a renderer writes for a record made by hand, word for word. `pytest tests/golden --update-golden` writes them."""

from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with the golden file of that name."""
    folder = Path(__file__).parent / "expected"

    def check(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--update-golden", default=False):
            folder.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), (
            f"{path.name} is missing: pytest tests/golden --update-golden, and read the difference before committing"
        )
        assert text == path.read_text(encoding="utf-8")

    return check
