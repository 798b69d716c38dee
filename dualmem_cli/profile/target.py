"""What is sampled: the same work as a Python process and as a plain C process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Work:
    """The native target's work cut into samples of a given length, for engines that count.

    `request(operations, samples)` is what the native target reads to prepare, run `samples` samples of `operations` each, and end; with 0
    operations it says how many take some milliseconds. Before each sample it runs an eighth of its operations outside of `sampled`, the
    function that runs one sample and nothing else. `operations` is the length wanted, 0 for the engine's choice. `threads` is how many the
    case itself asks for, `metrics` are the names of what the kernel says of itself, `sources` the folders that debug information's
    relative names start at. `calls_before` is how often `sampled` is called before the first sample, for what is no part of it. A target
    that is not `clocked` does not say how long its samples took: `operations` is their length then.
    """

    request: Callable[[int, int], str]
    sampled: str
    operations: int = 0
    threads: int = 1
    metrics: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    calls_before: int = 0
    clocked: bool = True


@dataclass(frozen=True, slots=True)
class Marking:
    """Functions whose share is wanted, by patterns of their names (* stands for any characters), and the shared object that they are in:
    `mapped` is the file that the target maps, `symbols` the one that has its debug information."""

    patterns: tuple[str, ...]
    mapped: Path
    symbols: Path


@dataclass(frozen=True, slots=True)
class Target:
    """Two command lines that do the same work for `seconds`.

    A sampler that reads Python frames starts `python_argv`; one that unwinds C alone starts `native_argv` and feeds it `native_stdin`.
    Both are started by the sampler itself: a process may always trace its own child, so no privilege is needed.

    `focus` names the functions inside of which the work is done, as they appear before the bracket of a frame ("spin"). Stacks
    outside of them are start-up (imports, data, index building); they are left out and counted. Empty: keep everything.

    `work` is None where the work cannot be cut into samples; then nothing can be counted per operation. `cpus` are the processors that
    everything is kept on; none: wherever the system puts it.

    `rounds` is how many fresh processes a sampler starts one after the other, each for `seconds`: how far they scatter tells what a share
    of all is worth. `marking` is None where no functions are marked.
    """

    title: str
    case_id: str
    python_argv: tuple[str, ...]
    native_argv: tuple[str, ...]
    native_stdin: str
    environment: tuple[tuple[str, str], ...]
    seconds: float
    focus: tuple[str, ...] = ()
    work: Work | None = None
    cpus: tuple[int, ...] = ()
    rounds: int = 1
    marking: Marking | None = None
