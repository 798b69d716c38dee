"""What every folder of tests shares: fabricated nouns on the path, and the native build that the real ones come from."""

import os
import signal
import sys
from pathlib import Path

import pytest

# `fabricated` is a plain module beside the tests; importlib mode puts no folder on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))

# A job in the background of a shell begins with Ctrl-C ignored, and so would every command under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def native_build() -> Path:
    """The native build under test, as `make py-test` names it: dualmem-worker, the cffi module, subjects/*.so."""
    named = os.environ.get("DUALMEM_TEST_BUILD", "")
    if not (Path(named) / "dualmem-worker").is_file():
        pytest.fail(f'DUALMEM_TEST_BUILD is "{named}", which holds no dualmem-worker: run `make py-test`')
    return Path(named).absolute()


@pytest.fixture(scope="session")
def subjects(native_build: Path) -> Path:
    """The folder of kernel libraries with known answers (tests/subjects)."""
    return native_build / "subjects"
