"""What a person can get wrong on the command line: one line on stderr that says what, where and what to do, and status 2."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import Done, Dualmem


def says(done: Done, *wanted: str, status: int = 2) -> None:
    assert done.status == status, done
    assert done.out == ""
    for text in wanted:
        assert text in done.err, done.err


def quick(dualmem: Dualmem, *scenarios: str | Path) -> Done:
    return dualmem("bench", "-q", *scenarios, "--library", dualmem.subject("ok"))


def test_scenarios(dualmem: Dualmem) -> None:
    path = dualmem.folder / "bad.toml"
    for text, said in {
        'question = "q"\nkernl = "spin"': 'dualmem: bad.toml:2: "kernl" is not a key here; did you mean "kernel"?\n',
        'question = "q"\nkernel = "spun"': 'dualmem: bad.toml:2: "spun" is not a kernel of spin; did you mean "spin"?\n',
        'question = "q"\nkernel = "spin"\nvariants = ["plain"]\n[params]\nwrok = 1': 'bad.toml:5: [params] "wrok" is not a parameter',
        "x = ": "bad.toml:1: Invalid value",
    }.items():
        path.write_text(text)
        says(quick(dualmem, "bad.toml"), said)
    path.write_bytes(b"\xff\xfe")
    says(quick(dualmem, "bad.toml"), "bad.toml: not UTF-8 text")
    assert list((dualmem.folder / "reports").glob("*.json")) == [], "a mistake leaves no record behind"


def test_names_of_scenarios(dualmem: Dualmem) -> None:
    says(quick(dualmem, "similarty"), 'there is no scenario "similarty" in', 'did you mean "similarity"?')
    says(quick(dualmem, "gone.toml"), "dualmem: gone.toml: No such file or directory")
    (dualmem.folder / "other").mkdir()
    shutil.copy(dualmem.scenario(), dualmem.folder / "other" / "quick.toml")
    says(quick(dualmem, "quick.toml", "other/quick.toml"), 'are both called "quick"')


def test_baselines(dualmem: Dualmem) -> None:
    compare = ("compare", "-q", dualmem.scenario(), "--library", dualmem.subject("ok"))
    says(dualmem(*compare), 'there is no baseline "main" in baselines. Make one: dualmem bench && dualmem baseline save main')
    says(dualmem("baseline", "save", "main"), "reports holds no bench record. Run `dualmem bench` first.")
    assert quick(dualmem, dualmem.scenario()).status == 0
    assert dualmem("baseline", "save", "main").status == 0
    assert ", 1 case, " in dualmem("baseline", "list").out
    assert dualmem(*compare).status in (0, 4), "on a busy machine this quick one may stay undecided"
    says(dualmem(*compare, "--baseline", "mian"), 'there is no baseline "mian"', "Known: main.")
    says(dualmem(*compare, "--baseline", "main", "--against", "x.so"), "exclude each other")
    home = dualmem.folder / "baselines" / "main"
    record = json.loads((home / "record.json").read_text())
    record["machine"]["architecture"] = "pdp11"
    (home / "record.json").write_text(json.dumps(record))
    elsewhere = dualmem(*compare)
    assert (elsewhere.status, elsewhere.err) == (5, ""), elsewhere
    assert "incomparable" in elsewhere.out
    assert "was built for pdp11" in elsewhere.out, "stored numbers are shown, and their times never judged"
    link = next((home / "build").glob("*.so"))
    link.write_bytes(link.read_bytes()[:-1] + b"!")
    says(dualmem(*compare), 'baseline "main" cannot be used:', "Save it again: dualmem bench && dualmem baseline save main")
    assert 'main: baseline "main" cannot be used' in dualmem("baseline", "list").out


def test_folders_that_cannot_be_written(dualmem: Dualmem) -> None:
    """Beneath a file: no user, not even root, can make a folder there."""
    (dualmem.folder / "file").write_text("")
    scenario = dualmem.scenario()
    for folder in ("file", "file/deeper"):
        says(dualmem("bench", "-q", scenario, "--library", dualmem.subject("ok"), "--reports", folder), "dualmem: ", "irectory")
    data = dualmem.scenario("data", kernel="dot", head='[data]\nsynthetic = "gaussian"\nrows = 300\ndim = 8')
    done = dualmem("bench", "-q", data, "--library", dualmem.subject("vectors"), DUALMEM_CACHE="/dev/null/cache")
    says(done, "dualmem: /dev/null/cache", "Not a directory")


def test_a_record_folder_that_vanishes_costs_the_record_only(dualmem: Dualmem) -> None:
    """The measurements are shown, and the status says that they were not kept."""
    import time

    slow = dualmem.scenario(tail="[params]\nwork = 20000000", timeout=60)
    process = dualmem.start("bench", "-q", slow, "--library", dualmem.subject("ok"))
    dualmem.wait_for_measuring(process)
    reports = dualmem.folder / "reports"
    for _ in range(100):  # the command may be in the middle of making something there
        shutil.rmtree(reports, ignore_errors=True)
        if not reports.exists():
            break
        time.sleep(0.01)
    reports.write_text("in the way")
    done = dualmem.finish(process)
    assert done.status == 3, done
    assert "not everything could be saved" in done.err
    assert "1 case" in done.out


def test_usage(dualmem: Dualmem) -> None:
    assert dualmem("frobnicate").status == 2
    assert "No such command 'frobnicate'" in dualmem("frobnicate").err
    assert dualmem("compare", "--budget", "0").status == 2
    assert dualmem().status == 2
    says(dualmem("schema", "sumary"), 'there is no schema "sumary"; did you mean "summary"?')
    says(dualmem("report", "gone.json"), "gone.json: No such file or directory")


def test_records_that_are_none(dualmem: Dualmem) -> None:
    path = dualmem.folder / "r.json"
    for content, said in (
        (b"{", "not JSON"),
        (b"{}", "no schema number"),
        (b'{"schema": 9}', "schema 9"),
        (b"\0" * 99, "not JSON"),
    ):
        path.write_bytes(content)
        says(dualmem("report", path), f"r.json: {said}")
    assert dualmem("report", dualmem.folder).status == 2


def test_without_the_native_part(dualmem: Dualmem, package: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    (bare / "dualmem_cli").mkdir(parents=True)
    for entry in (package / "dualmem_cli").iterdir():
        if entry.name != "_native":
            (bare / "dualmem_cli" / entry.name).symlink_to(entry)
    done = dualmem("kernels", dualmem.subject("ok"), PYTHONPATH=str(bare))
    if done.status == 0:  # an installed package lends its own native part, wherever this one was found
        assert "spin" in done.out
    else:
        says(done, "dualmem-worker is not there: the native part was not built", "make build")


@pytest.mark.parametrize("arguments", [("--version",), ("-V",)])
def test_the_version_costs_nothing(dualmem: Dualmem, package: Path, arguments: tuple[str, ...]) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dualmem_cli", *arguments],
        env={**dualmem.environment},
        cwd=dualmem.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("dualmem ")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "import time:" in line}
    assert "dualmem_cli" in imported
    assert not imported & {"typer", "click", "numpy", "rich", "pydantic", "matplotlib", "h5py", "psutil", "cffi"}


def test_help_is_light(dualmem: Dualmem) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dualmem_cli", "--help"],
        env={**dualmem.environment},
        cwd=dualmem.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "import time:" in line}
    assert not imported & {"numpy", "pydantic", "matplotlib", "h5py", "psutil"}
    assert "[[" not in dualmem("bench", "--help").out
    assert "Exit status: 0 ok" in done.stdout.replace("\n", " ")
