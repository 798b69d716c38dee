"""Slowdowns that are known, planted into small kernel libraries: does a failed compare name each of them?

    .venv/bin/python tests/plants/plants.py [NAME...]

Each library beside this file is built as it should be and spoilt (-DPLANTED=1), and compared; the explanation is read from the record.
About a minute each, since the explanation takes its time. Not a part of the tests: the machine decides how much a slowdown costs, and
whether two threads run at once. The sentences themselves are tested without one (tests/unit/test_reasons.py).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "native" / "include"
# What the sentence has to hold: what kind of slowdown it is, and where.
EXPECTED = {
    "row_copy": ("More work", "compare_row", "memcpy(state->copied"),
    "prefetch": ("a wait for memory that was hidden before", "visit", "the candidate has no such prefetch"),
    "counters": ("Only with several threads", "false sharing", "count"),
}


def build(name: str, *, planted: bool, folder: Path) -> Path:
    library = folder / f"{name}-{'planted' if planted else 'sound'}.so"
    options = ["-O2", "-g", "-shared", "-fPIC", f"-I{INCLUDE}", f"-DPLANTED={int(planted)}"]
    subprocess.run(["cc", *options, str(HERE / f"{name}.c"), "-o", str(library), "-lpthread"], check=True)
    return library


def explained(name: str, folder: Path) -> tuple[str, str]:
    """The verdict's change, and the sentence of the explanation; "" where there is none."""
    sound, planted = (build(name, planted=which, folder=folder) for which in (False, True))
    dualmem = Path(sys.executable).with_name("dualmem")
    command = [str(dualmem), "compare", "-q", "--json", "--library", str(planted), "--against", str(sound)]
    command += ["--reports", str(folder / "reports"), "--baselines", str(folder / "baselines")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 1:
        return f"exit {done.returncode}: no regression was found; {done.stderr.strip()}", ""
    record = json.loads(done.stdout)
    change = record["cases"][0]["change"]
    return f"{100 * change['value']:+.1f} %", record["explanations"][0]["reason"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", help=f"of {', '.join(EXPECTED)}; all unless given")
    asked = parser.parse_args().name or list(EXPECTED)
    if unknown := set(asked) - EXPECTED.keys():
        parser.error(f"not planted: {', '.join(sorted(unknown))}")
    failed = 0
    for name in asked:
        with tempfile.TemporaryDirectory(prefix="dualmem-plants-") as folder:
            change, sentence = explained(name, Path(folder))
        missing = [words for words in EXPECTED[name] if words not in sentence]
        failed += bool(missing)
        print(
            f"{name}: {change}; {'explained' if not missing else f'NOT explained, without {missing}'}\n  {sentence}", flush=True
        )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
