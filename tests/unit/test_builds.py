"""Builds kept by their content: whole or not at all, damage seen and mended."""

import errno
import fcntl
import json
import multiprocessing
import os
import shutil
import threading
from pathlib import Path

import pytest
from fabricated import library

from dualmem_cli.errors import BuildError
from dualmem_cli.measure import builds as binaries
from dualmem_cli.model.kernel import Build, Library
from dualmem_cli.store import builds


def describe(path: str) -> Library:
    assert Path(path).is_file(), "what is described is what is kept"
    return library()


def copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def links(folder: Path, *contents: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / f"libdualmem.{index}.so" for index in range(len(contents))]
    for path, content in zip(made, contents, strict=True):
        path.write_text(content)
    return made


def keep(tmp_path: Path, *contents: str, origin: str = "here") -> Build:
    return builds.keep(links(tmp_path / "made", *contents), origin=origin, describe=describe, copy=copy, folder=tmp_path / "kept")


def folder_of(tmp_path: Path, build: Build) -> Path:
    return tmp_path / "kept" / build.digest


def test_a_build_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    kept = keep(tmp_path, "one", "two")
    assert builds.load(folder_of(tmp_path, kept)) == kept
    assert [link.layout for link in kept.links] == ["0", "1"]
    assert [Path(link.path).read_text() for link in kept.links] == ["one", "two"]
    assert all(Path(link.path).is_absolute() for link in kept.links)
    assert kept.short == kept.digest[:7]
    assert kept.rotated


def test_only_whole_builds_lie_in_the_folder(tmp_path: Path) -> None:
    kept = keep(tmp_path, "one")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [kept.digest]
    assert sorted(path.name for path in folder_of(tmp_path, kept).iterdir()) == [f"{kept.links[0].sha256}.so", "build.json"]


def test_the_address_is_the_content(tmp_path: Path) -> None:
    first = keep(tmp_path, "one", "two")
    assert keep(tmp_path, "two", "one").digest == first.digest, "in any order"
    assert keep(tmp_path, "one", "two", origin="elsewhere").digest == first.digest, "wherever it came from"
    assert keep(tmp_path, "one", "two!").digest != first.digest
    assert keep(tmp_path, "one").digest != first.digest
    assert len(list((tmp_path / "kept").iterdir())) == 3


def test_a_library_that_cannot_be_described_is_not_kept(tmp_path: Path) -> None:
    def refuse(path: str) -> Library:
        raise BuildError(f"{path}: no such symbol")

    with pytest.raises(BuildError, match="no such symbol"):
        builds.keep(links(tmp_path / "made", "one"), origin="", describe=refuse, copy=copy, folder=tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def damage_link(folder: Path) -> None:
    next(folder.glob("*.so")).write_text("other")


def damage_manifest(folder: Path) -> None:
    (folder / "build.json").write_text("{")


def lose_link(folder: Path) -> None:
    next(folder.glob("*.so")).unlink()


def lose_manifest(folder: Path) -> None:
    (folder / "build.json").unlink()


def swap_digest(folder: Path) -> None:
    manifest = json.loads((folder / "build.json").read_text())
    manifest["digest"] = "0" * 64
    (folder / "build.json").write_text(json.dumps(manifest))


def drop_link(folder: Path) -> None:
    manifest = json.loads((folder / "build.json").read_text())
    del manifest["links"][0]
    (folder / "build.json").write_text(json.dumps(manifest))


DAMAGES = {
    "link": (damage_link, r"\.so: damaged, its content is not what its name says"),
    "manifest": (damage_manifest, r"build\.json: damaged"),
    "no link": (lose_link, r"\.so: missing"),
    "no manifest": (lose_manifest, r"build\.json: No such file or directory"),
    "digest": (swap_digest, r"build\.json: damaged, the digest does not match the links"),
    "fewer links": (drop_link, r"build\.json: damaged, the digest does not match the links"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_seen(tmp_path: Path, name: str) -> None:
    harm, said = DAMAGES[name]
    kept = keep(tmp_path, "one", "two")
    harm(folder_of(tmp_path, kept))
    with pytest.raises(BuildError, match=said):
        builds.load(folder_of(tmp_path, kept))


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_mended_when_the_same_build_is_kept_again(tmp_path: Path, name: str) -> None:
    kept = keep(tmp_path, "one", "two")
    DAMAGES[name][0](folder_of(tmp_path, kept))
    assert keep(tmp_path, "one", "two") == kept
    assert builds.load(folder_of(tmp_path, kept)) == kept
    assert len(list((tmp_path / "kept").iterdir())) == 1


def _keep_at_once(tmp_path: Path, barrier: "multiprocessing.synchronize.Barrier", answers: "multiprocessing.Queue[str]") -> None:
    made = [tmp_path / "made" / f"libdualmem.{index}.so" for index in range(4)]
    barrier.wait()
    try:
        build = builds.keep(made, origin="", describe=describe, copy=copy, folder=tmp_path / "kept")
        answers.put("whole" if all(Path(link.path).is_file() for link in build.links) else "half")
    except BaseException as error:
        answers.put(repr(error))


def test_runs_at_once_keep_one_whole_build(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    links(tmp_path / "made", *("x" * (100_000 + index) for index in range(4)))
    for _ in range(10):
        shutil.rmtree(tmp_path / "kept", ignore_errors=True)
        barrier, answers = context.Barrier(4), context.Queue()
        processes = [context.Process(target=_keep_at_once, args=(tmp_path, barrier, answers)) for _ in range(4)]
        for process in processes:
            process.start()
        assert [answers.get(timeout=30) for _ in processes] == ["whole"] * 4
        for process in processes:
            process.join()
        (kept,) = (tmp_path / "kept").iterdir()
        builds.load(kept)


def test_which_binaries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = links(tmp_path / "made", "one", "two")
    (tmp_path / "made" / "notes.txt").write_text("")
    assert binaries.named(tmp_path / "made").links == tuple(made)
    monkeypatch.chdir(tmp_path)
    assert binaries.named(Path("made/libdualmem.0.so")).links == (made[0],)
    with pytest.raises(BuildError, match="no such library"):
        binaries.named(Path("gone.so"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match=r"holds no \.so"):
        binaries.named(tmp_path / "empty")


@pytest.mark.parametrize("name", [b"a\nb.so", b"\xff.so", b"a\x1b[31m.so"])
def test_a_name_that_cannot_be_written_down_is_refused(tmp_path: Path, name: bytes) -> None:
    """A line break would smuggle a line into the request; bytes that are no text fit into no record."""
    path = tmp_path / os.fsdecode(name)
    path.write_text("")
    for given in (path, tmp_path):
        with pytest.raises(BuildError, match="is not printable text") as caught:
            binaries.named(given)
        assert str(caught.value).isprintable()


def test_the_source_tree_is_found_from_within(tmp_path: Path) -> None:
    assert binaries.source_tree(tmp_path) is None
    (tmp_path / "native" / "cmake").mkdir(parents=True)
    (tmp_path / "native" / "cmake" / "libdualmem.cmake").write_text("")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert binaries.source_tree(inside) == binaries.source_tree(tmp_path) == tmp_path


def test_a_link_is_copied_even_where_it_cannot_be_stripped(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_text("no ELF file")
    binaries.copy_link(tmp_path / "x.so", tmp_path / "y.so")
    assert (tmp_path / "y.so").read_text() == "no ELF file"
    assert (tmp_path / "y.so").stat().st_ino != (tmp_path / "x.so").stat().st_ino


def test_what_has_no_debug_information_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_text("no ELF file")
    binaries.copy_debug(tmp_path / "x.so", tmp_path / "y.debug")
    assert not (tmp_path / "y.debug").exists()
    assert binaries.with_debug(tmp_path / "x.so", folder=tmp_path / "scratch") == tmp_path / "x.so"
    (tmp_path / "x.debug").write_text("kept before")
    binaries.copy_debug(tmp_path / "x.so", tmp_path / "y.debug")
    assert (tmp_path / "y.debug").read_text() == "kept before", "what lies beside the link is taken"


def test_debug_information_is_beside_a_build_and_no_part_of_it(tmp_path: Path) -> None:
    def beside(_: Path, target: Path) -> None:
        target.write_text("lines")

    plain = keep(tmp_path, "one", "two")
    folder = Path(plain.links[0].path).parent
    assert not list(folder.glob("*.debug"))
    made = links(tmp_path / "made again", "one", "two")
    again = builds.keep(made, origin="", describe=describe, copy=copy, folder=tmp_path / "kept", beside=beside)
    assert again.digest == plain.digest
    (found,) = folder.glob("*.debug")
    assert found == Path(again.links[0].path).with_suffix(".debug"), "a build that was kept without gets it, for its first link"
    assert builds.load(folder).digest == plain.digest


def test_a_full_disk_is_not_blamed_on_what_is_copied(tmp_path: Path) -> None:
    def full(source: Path, _: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source))

    with pytest.raises(BuildError, match=r"kept: No space left on device\. Make room"):
        builds.keep(links(tmp_path / "made", "one"), origin="", describe=describe, copy=full, folder=tmp_path / "kept")


def test_a_build_is_put_there_by_one_run_at_a_time(tmp_path: Path) -> None:
    """While another run has its turn, this one waits; then it goes on."""
    done = threading.Event()

    def run() -> None:
        keep(tmp_path, "one", "two")
        done.set()

    with (tmp_path / "kept.put.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        thread = threading.Thread(target=run)
        thread.start()
        assert not done.wait(timeout=0.5)
    assert done.wait(timeout=30)
    thread.join()
