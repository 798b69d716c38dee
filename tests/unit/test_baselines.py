"""Baselines: promoted whole, replaced in one step, never believed when damaged."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import library, record

from dualmem_cli.errors import BaselineError, BuildError, RecordError
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import BenchFinding
from dualmem_cli.store import baselines, builds, records

MEASURED = (BenchFinding(case="s/plain", quantities=(), problem=""),)


def copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def kept(tmp_path: Path, content: str = "one") -> Build:
    source = tmp_path / "libdualmem.0.so"
    source.write_text(content)
    return builds.keep([source], origin="here", describe=lambda _: library(), copy=copy, folder=tmp_path / "builds")


def bench_of(build: Build, **changes: object) -> Record:
    return record(**{"builds": (build,), "bench": MEASURED, **changes})


def save(tmp_path: Path, name: str = "main", *, content: str = "one", **changes: object) -> baselines.Baseline:
    build = kept(tmp_path, content)
    return baselines.save(
        tmp_path / "baselines", name=name, record=bench_of(build, **changes), build_folder=tmp_path / "builds" / build.digest
    )


def load(tmp_path: Path, name: str = "main") -> baselines.Baseline:
    return baselines.load(tmp_path / "baselines", name)


def test_a_baseline_comes_back_and_needs_nothing_else(tmp_path: Path) -> None:
    saved = save(tmp_path)
    shutil.rmtree(tmp_path / "builds")
    loaded = load(tmp_path)
    assert loaded.record == saved.record
    assert loaded.build.digest == saved.build.digest
    assert Path(loaded.build.links[0].path).read_text() == "one"
    assert Path(loaded.build.links[0].path).is_relative_to(tmp_path / "baselines" / "main")


def test_a_full_disk_is_said_and_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = save(tmp_path)

    def full(*_: object) -> None:
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device")])

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(BaselineError, match=r"baselines/main: .*No space left on device\. Nothing was changed\."):
        save(tmp_path, content="two")
    assert load(tmp_path).build.digest == first.build.digest


@pytest.mark.parametrize("name", ["", ".", "../baselines/main"])
def test_what_can_be_no_name_is_none(tmp_path: Path, name: str) -> None:
    save(tmp_path)
    with pytest.raises(BaselineError, match=r"there is no baseline .* Known: main"):
        load(tmp_path, name)


def test_a_baseline_is_replaced_whole(tmp_path: Path) -> None:
    first = save(tmp_path)
    second = save(tmp_path, content="two")
    assert first.build.digest != second.build.digest
    assert load(tmp_path).build.digest == second.build.digest
    assert [path.name for path in (tmp_path / "baselines").iterdir()] == ["main"]


@pytest.mark.parametrize("failing", ["rename", "copytree", "record"])
def test_what_goes_wrong_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    first = save(tmp_path)
    build = kept(tmp_path, "two")
    plain = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return plain(self, target)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def refuse(*_: object) -> None:
        raise RecordError("r.json: No space left on device")

    if failing == "rename":
        monkeypatch.setattr(Path, "rename", rename)
    elif failing == "copytree":
        monkeypatch.setattr(shutil, "copytree", fail)
    else:
        monkeypatch.setattr(records, "save", refuse)
    with pytest.raises((BaselineError, RecordError), match="No space left on device"):
        baselines.save(
            tmp_path / "baselines", name="main", record=bench_of(build), build_folder=tmp_path / "builds" / build.digest
        )
    monkeypatch.undo()
    assert load(tmp_path).build.digest == first.build.digest
    assert [path.name for path in (tmp_path / "baselines").iterdir()] == ["main"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../up", "-x", ".hidden", "a b", "é", "x" * 65, "a\n", "main\n"])
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(BaselineError, match="is not a name for a baseline"):
        save(tmp_path, name)
    assert not (tmp_path / "baselines").exists()


@pytest.mark.parametrize("name", ["main", "v1.2", "2026-01-02", "a_b", "x" * 64])
def test_names(tmp_path: Path, name: str) -> None:
    save(tmp_path, name)
    assert baselines.names(tmp_path / "baselines") == (name,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "compare"}, "a compare record cannot become a baseline"),
        ({"interrupted": True}, "the record was interrupted and is not whole"),
        ({"bench": ()}, "the record has no case that was measured"),
        ({"bench": (BenchFinding("s", (), "crashed"),)}, "the record has no case that was measured"),
    ],
)
def test_what_cannot_become_a_baseline(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(BaselineError, match=said):
        save(tmp_path, **changes)  # type: ignore[arg-type]


def test_a_build_that_is_damaged_already_is_not_promoted(tmp_path: Path) -> None:
    build = kept(tmp_path)
    Path(build.links[0].path).write_text("other")
    with pytest.raises(BuildError, match="damaged"):
        baselines.save(
            tmp_path / "baselines", name="main", record=bench_of(build), build_folder=tmp_path / "builds" / build.digest
        )
    assert baselines.names(tmp_path / "baselines") == ()


def test_a_missing_baseline_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        BaselineError, match=r'there is no baseline "main" in .*Make one: dualmem bench && dualmem baseline save main'
    ):
        load(tmp_path)
    save(tmp_path, "other")
    with pytest.raises(BaselineError, match=r"Known: other\."):
        load(tmp_path)


def harm(home: Path, what: str) -> None:
    link = next((home / "build").glob("*.so"))
    match what:
        case "link":
            link.write_bytes(link.read_bytes()[:-1] + b"!")
        case "no link":
            link.unlink()
        case "manifest":
            (home / "build" / "build.json").write_text("{}")
        case "no build":
            shutil.rmtree(home / "build")
        case "record":
            (home / "record.json").write_bytes((home / "record.json").read_bytes()[:-20])
        case "no record":
            (home / "record.json").unlink()
        case "old schema":
            (home / "record.json").write_text('{"schema": 0}')


@pytest.mark.parametrize("what", ["link", "no link", "manifest", "no build", "record", "no record", "old schema"])
def test_a_damaged_baseline_is_never_measured(tmp_path: Path, what: str) -> None:
    save(tmp_path)
    harm(tmp_path / "baselines" / "main", what)
    with pytest.raises(BaselineError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith('baseline "main" cannot be used: ')
    assert str(caught.value).endswith("Save it again: dualmem bench && dualmem baseline save main.")


@pytest.mark.parametrize("made_with", ["other", "none"])
def test_record_and_build_belong_together(tmp_path: Path, made_with: str) -> None:
    saved = save(tmp_path)
    others = () if made_with == "none" else (replace(saved.build, digest="0" * 64),)
    records.save(replace(saved.record, builds=others), tmp_path / "baselines" / "main" / "record.json")
    with pytest.raises(BaselineError, match="its record was made with another build"):
        load(tmp_path)


def test_which_baseline_is_meant(tmp_path: Path) -> None:
    folder = tmp_path / "baselines"
    assert baselines.choose(folder, "") == "main"
    save(tmp_path, "release")
    assert baselines.choose(folder, "") == "release", "the only one"
    save(tmp_path, "other")
    assert baselines.choose(folder, "") == "main", "which is not there, so load says what is"
    assert baselines.choose(folder, "other") == "other"
    (folder / ".saving-x").mkdir()
    (folder / "notes.txt").write_text("")
    assert baselines.names(folder) == ("other", "release")
