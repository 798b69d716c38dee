"""GitHub annotations: workflow commands on stdout, no token. What fails the job is an error, what was allowed or only shown is a
warning, what was not compared is a notice; each points to the line of the scenario file that asks for it.

GitHub shows ten annotations of a kind per step and drops the rest, so the tenth says how many more there are and where.
"""

from collections.abc import Iterator, Sequence

from dualmem_cli.model.record import Record
from dualmem_cli.plan.scenario import line_of
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import visible
from dualmem_cli.report.outcomes import Outcome, Result, outcomes

_SHOWN = 10
# The runner's own order: the per cent sign first, or it would escape its own escapes (actions/toolkit, packages/core/src/command.ts).
_DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY = (*_DATA, (":", "%3A"), (",", "%2C"))


def render(record: Record, context: ReportContext) -> str:
    """One command a line, the errors first; a run with nothing to say is empty."""
    found = outcomes(record, context)
    levels: dict[str, list[Outcome]] = {"error": [], "warning": [], "notice": []}
    for outcome in found:
        level = _level(outcome)
        if level:
            levels[level].append(outcome)
    return "".join(f"{line}\n" for level, told in levels.items() for line in _commands(record, level, told, context))


def _level(outcome: Outcome) -> str:
    match outcome.result:
        case Result.FAILED | Result.BROKEN:
            return "error"
        case Result.SKIPPED:
            return "warning" if outcome.headline in ("inconclusive", "control failed") else "notice"
        case Result.PASSED:
            return "warning" if outcome.headline == "budget missed" else ""


def _commands(record: Record, level: str, told: Sequence[Outcome], context: ReportContext) -> Iterator[str]:
    shown = told if len(told) <= _SHOWN else told[: _SHOWN - 1]
    for outcome in shown:
        yield _command(level, f"{outcome.headline}: {outcome.group} {outcome.label}", outcome.message, _place(record, outcome))
    if len(told) > len(shown):
        rest = f"{len(told) - len(shown)} more: all of them stand in {context.record_path or 'the record'}"
        yield _command(level, "dualmem", rest, {})


def _place(record: Record, outcome: Outcome) -> dict[str, str]:
    """The scenario file and the line of the key, its table's, or the kernel's or workload's; nothing for a scenario without a file."""
    scenario = record.scenario_named(outcome.group)
    if scenario is None or not scenario.path:
        return {}
    line = line_of(scenario.source, outcome.key)
    if line == 1:  # the key has its default, and its table is not written either
        line = max(line_of(scenario.source, (key,)) for key in ("kernel", "workload"))
    return {"file": scenario.path, "line": str(line)}


def _command(level: str, title: str, message: str, place: dict[str, str]) -> str:
    properties = {**place, "title": title}
    told = ",".join(f"{name}={_escaped(visible(value), _PROPERTY)}" for name, value in properties.items())
    return f"::{level} {told}::{_escaped(visible(message), _DATA)}"


def _escaped(text: str, escapes: Sequence[tuple[str, str]]) -> str:
    for character, escape in escapes:
        text = text.replace(character, escape)
    return text
