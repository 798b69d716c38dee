"""The library as a git revision of the tree has it: built once in a worktree of its own, with the options of the working tree's build, and
kept under what it was built from. Two commits that have the same native/ are one build."""

import contextlib
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import BuildError
from dualmem_cli.measure.builds import Binaries, build_links, copy_debug, copy_link, locked
from dualmem_cli.model.kernel import DEBUG

SOURCES = "native"
FOLDER = "revisions"
BUILDING = ".building-"
SUMS = "SHA256SUMS"
# What decides the bytes besides the sources, as the working tree's build was configured: both sides must have the same.
_PINNED = (
    *("CMAKE_C_COMPILER", "CMAKE_BUILD_TYPE", "CMAKE_C_FLAGS", "CMAKE_SHARED_LINKER_FLAGS"),
    *("DUALMEM_LAYOUTS", "DUALMEM_SANITIZE"),
)
_FROM_ENVIRONMENT = ("CC", "CFLAGS", "LDFLAGS")


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit by the name it was asked for. `sources` is the git digest of what the library is built from, `created` ISO 8601."""

    name: str
    commit: str
    created: str
    sources: str

    @property
    def short(self) -> str:
        return self.commit[:10]


def find(name: str, *, tree: Path) -> Revision:
    """The commit that `name` (a branch, a tag, HEAD~3, a hash) means in the repository of `tree`. Raises BuildError."""
    if _git(tree, "rev-parse", "--git-dir") is None:
        raise BuildError(
            f'{tree} is not in a git repository, so it has no revision "{name}"', hint="Give a library: --against PATH.so."
        )
    commit = _git(tree, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not commit:
        shallow = _git(tree, "rev-parse", "--is-shallow-repository") == "true"
        raise BuildError(
            f'there is neither a library nor a git revision "{name}" in {tree}',
            hint="The clone is shallow: git fetch --unshallow."
            if shallow
            else "Give a .so, a folder of links, a record, or a name that `git log` knows; git fetch --all fetches what others have.",
        )
    sources = _git(tree, "rev-parse", "--verify", "--quiet", f"{commit}:./{SOURCES}")
    if not sources:
        raise BuildError(
            f"revision {name} ({commit[:10]}) has no {SOURCES}/: there is nothing to build", hint="Give a later one."
        )
    return Revision(name, commit, _git(tree, "show", "-s", "--format=%cI", commit) or "", sources)


def built(revision: Revision, *, tree: Path, cache: Path) -> Binaries:
    """The links of that revision, from `cache` when the same sources were built with the same compiler and options before. Two runs at once
    take turns, and the second finds what the first has built. Raises BuildError."""
    folder = (cache / FOLDER).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        options = _options(tree)
        home = folder / _key(revision, options)
        with locked(folder.with_name(f"{FOLDER}.lock")):  # store/sweep.py takes it too
            links = kept_links(home)
            if not links:
                shutil.rmtree(home, ignore_errors=True)  # damaged, or half removed
                _build(revision, options, tree=tree, home=home)
                links = kept_links(home)
            with contextlib.suppress(OSError):
                os.utime(home)
    except OSError as error:
        raise BuildError(
            f"{error.filename or folder}: {error.strerror}", hint="Set DUALMEM_CACHE to a folder with room."
        ) from None
    return Binaries(links=links, origin=f"revision {revision.name}", tree=None, revision=revision.short)


def export_sources(commit: str, *, tree: Path, folder: Path) -> bool:
    """Write what the library is built from, as `commit` has it, into `folder`. False where this clone does not know it."""
    archive = folder / "sources.tar"
    try:
        done = _ask_git(tree, "archive", "--format=tar", f"--output={archive}", commit, SOURCES)
    except BuildError:
        return False
    if done.returncode != 0:
        return False
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return True


def kept_links(home: Path) -> tuple[Path, ...]:
    """The links in a folder of the cache, each checked against its digest; () when it is not whole."""
    try:
        lines = [line.partition("  ") for line in (home / SUMS).read_text().splitlines()]
        links = tuple(home / name for _, _, name in lines)
        whole = all(_sha256(home / name) == digest for digest, _, name in lines)
    except (OSError, ValueError):
        return ()
    return links if whole else ()


def _build(revision: Revision, options: tuple[str, ...], *, tree: Path, home: Path) -> None:
    """Build in a worktree, then rename the links into place, whole. The worktree has a fixed name under the caller's lock: what is there
    already was left by a run that was killed."""
    scratch = home.with_name(f"{BUILDING}{home.name}")
    with _worktree(revision, tree=tree, folder=scratch / "tree") as sources:
        try:
            links = build_links(sources / SOURCES, folder=scratch / "build", options=options)
        except BuildError as error:
            raise BuildError(
                f"revision {revision.name} ({revision.short}): {error.what}",
                hint="See the whole of it: git worktree add ../old " + shlex.quote(revision.name) + " && make -C ../old build.",
            ) from None
        made = scratch / "made"
        made.mkdir()
        for link in links:
            copy_link(link, made / link.name)
        copy_debug(links[0], made / links[0].with_suffix(DEBUG).name)
        (made / SUMS).write_text("".join(f"{_sha256(path)}  {path.name}\n" for path in sorted(made.glob("*.so"))))
        made.rename(home)


@contextlib.contextmanager
def _worktree(revision: Revision, *, tree: Path, folder: Path) -> Iterator[Path]:
    """A detached worktree of the revision, gone again whatever happens; its part that corresponds to `tree`."""
    _remove_worktree(tree, folder)
    try:
        folder.parent.mkdir(parents=True)
        # The hooks of the repository have no business here; --force: a registration may be left of a folder that is gone.
        done = _ask_git(
            tree, "-c", f"core.hooksPath={os.devnull}", "worktree", "add", "--force", "--detach", str(folder), revision.commit
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["git said nothing"])[-1]
            raise BuildError(f"revision {revision.name}: git worktree: {said}", hint="See `git worktree list`.")
        yield folder / (_git(tree, "rev-parse", "--show-prefix") or "")
    finally:
        _remove_worktree(tree, folder)


def _remove_worktree(tree: Path, folder: Path) -> None:
    _ask_git(tree, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder.parent, ignore_errors=True)


def _options(tree: Path) -> tuple[str, ...]:
    """The options that make this build like the working tree's: read from its CMake cache; none while it has not been configured, when both
    builds take them from the environment."""
    try:
        text = (tree / "build" / "links" / "CMakeCache.txt").read_text(errors="replace")
    except OSError:
        return ()
    entries = (line.partition("=") for line in text.splitlines() if line[:1].isalpha())
    known = {key.partition(":")[0]: value for key, _, value in entries}
    return tuple(f"-D{name}={known[name]}" for name in _PINNED if name in known)


def _key(revision: Revision, options: tuple[str, ...]) -> str:
    """What the bytes depend on: sources, compiler, options, processor architecture."""
    chosen = dict(option[2:].split("=", 1) for option in options)
    compiler = chosen.get("CMAKE_C_COMPILER") or os.environ.get("CC") or "cc"
    environment = {name: os.environ.get(name, "") for name in _FROM_ENVIRONMENT if not options}
    parts = [revision.sources, _identity(compiler), sorted(options), environment, platform.machine()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _identity(compiler: str) -> str:
    """What the compiler says of its version; its name when it says nothing."""
    try:
        done = subprocess.run(
            [*shlex.split(compiler), "--version"], capture_output=True, text=True, errors="replace", check=False
        )
    except (OSError, ValueError):
        return compiler
    return f"{compiler}\n{done.stdout}"


def _git(directory: Path, *arguments: str) -> str | None:
    """What git answers; None when it refuses."""
    done = _ask_git(directory, *arguments)
    return done.stdout.strip() if done.returncode == 0 else None


def _ask_git(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Git in `directory`. Within a hook git names its own repository in the environment, which must not be taken for this one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            ["git", "-C", str(directory), *arguments], env={**environment, "LC_ALL": "C"},
            capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise BuildError("git is not there, and a revision cannot be built without it", hint="apt-get install git.") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
