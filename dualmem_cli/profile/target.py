"""What is sampled: the same work as a Python process and as a plain C process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Two command lines that do the same work for `seconds`.

    A sampler that reads Python frames starts `python_argv`; one that unwinds C alone starts `native_argv` and feeds it `native_stdin`.
    Both are started by the sampler itself: a process may always trace its own child, so no privilege is needed.

    `focus` names the functions inside of which the work is done, as they appear before the bracket of a frame ("spin"). Stacks
    outside of them are start-up (imports, data, index building); they are left out and counted. Empty: keep everything.
    """

    title: str
    case_id: str
    python_argv: tuple[str, ...]
    native_argv: tuple[str, ...]
    native_stdin: str
    environment: tuple[tuple[str, str], ...]
    seconds: float
    focus: tuple[str, ...] = ()
