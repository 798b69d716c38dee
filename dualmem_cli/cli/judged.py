"""What a scenario's [profile] limits: what must be measured for it, and how it is shown and becomes an exit status."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.model.kernel import DEBUG, Library
from dualmem_cli.model.plan import Case, Role
from dualmem_cli.model.scenario import ProfileLimits, Scenario
from dualmem_cli.plan.cases import bench_arms
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.profile.engines import Counter, Engine, find_engine
from dualmem_cli.profile.engines.inlined import names_in, unmatched
from dualmem_cli.profile.judged_section import parts_words, share_words, twin_cells, twin_notes, twin_verdict, twin_words
from dualmem_cli.profile.marked import MISSED, NOT_SHOWN, MarkedShare
from dualmem_cli.profile.session import ProfileOutcome
from dualmem_cli.profile.target import Marking
from dualmem_cli.profile.twin import TwinCounts
from dualmem_cli.report.layout import Column, Layout, Level, Row, Section, Table, cell, plain
from dualmem_cli.report.terminal import print_layout


def marking_of(scenario: Scenario, link: Path) -> Marking | None:
    """The functions that the scenario marks, in the library. Raises DualmemError for a name that no function of it has: it would be found
    nowhere, and its share be 0. What a library without debug information hides is said by the engines."""
    patterns = scenario.profile.dual
    if not patterns:
        return None
    debug = link.with_suffix(DEBUG)
    marking = Marking(patterns, link.resolve(), debug if debug.is_file() else link)
    try:
        names = names_in(marking.symbols)
    except DualmemError:
        return marking
    for pattern in unmatched(patterns, names):
        raise DualmemError(
            f'{scenario.path}: [profile] dual: no function of {link.name} is called "{pattern}"; {did_you_mean(pattern, names)}'
        )
    return marking


def twin_of(scenario: Scenario, case: Case, library: Library) -> Case | None:
    """The case with the kernel that [control] names, the one that bench measures; None where the scenario names none. Raises
    ScenarioError where the library has no such kernel."""
    arms = bench_arms(scenario, case, library) if scenario.control else ()
    twin = next((arm for arm in arms if arm.role is Role.CONTROL), None)
    return replace(case, kernel=twin.kernel, variant=twin.variant) if twin else None


def with_needed(engines: Sequence[Engine | Counter], limits: ProfileLimits) -> tuple[Engine | Counter, ...]:
    """The engines, and those without which a limit could not be judged."""
    needed = ["callgrind"] if limits.misses is not None else []
    if limits.dual_share is not None and not any(engine.name in ("perf", "callgrind") for engine in engines):
        needed.insert(0, "perf")
    return (*engines, *(find_engine(name) for name in needed if name not in {engine.name for engine in engines}))


def not_measured(outcome: ProfileOutcome, limits: ProfileLimits) -> tuple[str, ...]:
    """Limits that nothing was measured for, a line each."""
    lines = []
    if limits.dual_share is not None and not outcome.shares:
        lines.append(
            "the share of the dual-only functions was not measured: --with perf (samples) or --with callgrind (instructions)"
        )
    if limits.misses is not None and outcome.twin is None:
        lines.append("the misses were not compared with the single-type twin's: --with callgrind")
    return tuple(lines)


def status_of(outcome: ProfileOutcome, unknown: Sequence[str]) -> ExitStatus:
    """Where limits are enforced: one that is missed, or not shown to be kept, then one that was not measured. A gate that measured nothing
    never passes."""
    verdicts = {share.verdict for share in outcome.shares} | ({outcome.twin.verdict} if outcome.twin else set())
    if verdicts & {MISSED, NOT_SHOWN}:
        return ExitStatus.REGRESSION
    return ExitStatus.MEASUREMENT_FAILED if unknown else ExitStatus.OK


def print_judged(shares: Sequence[MarkedShare], twin: TwinCounts | None) -> None:
    """For a person at a terminal."""
    for share in shares:
        print(f"{share_words(share)}\n  {parts_words(share)}")
    if twin is None:
        return
    titles = (
        Column("quantity", name=True), Column(twin.kernel, numeric=True), Column(twin.single, numeric=True),
        Column("change", numeric=True), Column(""), Column("", remark=True),
    )  # fmt: skip
    rows = tuple(Row(tuple(map(cell, twin_cells(row)))) for row in twin.rows)
    layout = Layout(
        title="twin",
        created="",
        header=(plain(twin_words(twin)),),
        verdict=plain(twin_verdict(twin)),
        sections=(Section("", Level.QUIET, (Table("", titles, rows),)),),
        details=(),
        facts=(),
        closing=(),
        next_command="",
    )
    console = Console(highlight=False)
    print_layout(layout, console=console if console.is_terminal else Console(highlight=False, width=140), level=Level.NORMAL)
    for note in twin_notes(twin):
        print(f"  note: {note}")


def twin_document(twin: TwinCounts) -> dict[str, Any]:
    """As a JSON document, in which a number without bounds is null."""
    facts = asdict(twin)
    rows = [{key: None if value == math.inf else value for key, value in row.items()} for row in facts["rows"]]
    return {**facts, "rows": rows, "verdict": twin.verdict}
