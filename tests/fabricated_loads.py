"""Fabricated loads for tests: a workload library, a scenario, players without processes, and whole runs on them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fabricated import build, laboratory, library

from dualmem_cli import pipeline
from dualmem_cli.laboratory import Opened
from dualmem_cli.measure.fake import FakeRunner
from dualmem_cli.measure.fake_player import FakePlayers
from dualmem_cli.model.kernel import Parameter
from dualmem_cli.model.load import Population
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.record import Record
from dualmem_cli.model.workload import KeySpace, LoadScenario, Operation, Workload, WorkloadLibrary
from dualmem_cli.offered import ONCE, Extent
from dualmem_cli.plan.load_scenario import parse_load_scenario

COUNTS = ("population", "episodes", "concepts", "bindings")
HELD = (110.0, 100.0, 10.0, 100.0, 0.7, 0.1, 65536.0)
POPULATION = Population(HELD, (9, 100, *(0,) * 98, 1))
COST_NS = {("", "", "lookup"): 200_000.0, ("", "", "update"): 50_000.0}


class Slower(dict[tuple[str, str, str], float]):
    """Costs in which the candidate's updates take `factor` times as long."""

    def __init__(self, factor: float) -> None:
        super().__init__(COST_NS)
        self.factor = factor

    def __contains__(self, key: object) -> bool:
        return self._planted(key) or super().__contains__(key)

    def __getitem__(self, key: tuple[str, str, str]) -> float:
        return COST_NS["", "", "update"] * self.factor if self._planted(key) else super().__getitem__(key)

    def _planted(self, key: object) -> bool:
        return isinstance(key, tuple) and str(key[0]).endswith("1.0.so") and key[1:] == ("", "update")


def _count(name: str, default: float) -> Parameter:
    return Parameter(name=name, default=default, minimum=0, maximum=1e6, integer=True, meaning=name)


def _metric(name: str, unit: str) -> Metric:
    return Metric(name=name, unit=unit, better=Better.NEITHER, scope=Scope.CASE, meaning=name)


WORKLOAD = Workload(
    name="used",
    variant="dual",
    summary="a store in use",
    needs_data=False,
    supported=True,
    reason="",
    parameters=(_count("episodes", 100), _count("concepts", 10)),
    metrics=(
        *(_metric(name, "count") for name in COUNTS),
        _metric("similarity_within", "1"),
        _metric("similarity_between", "1"),
        _metric("memory_bytes", "B"),
    ),
    operations=(
        Operation("lookup", "looks for a concept", KeySpace.CONCEPT, KeySpace.NONE),
        Operation("update", "changes an episode", KeySpace.EPISODE, KeySpace.NONE),
    ),
)
LIBRARY = WorkloadLibrary(
    path="", abi=(1, 0), name="used", version="1", revision="", workloads=(WORKLOAD, replace(WORKLOAD, variant="single"))
)
MIX = "[mix]\nlookup = { share = 0.7 }\nupdate = { share = 0.3 }\n"


def load(text: str = "", *, measure: str = "", name: str = "load") -> LoadScenario:
    """A scenario of 1,000 operations a second for 4 seconds in eight sections, one process."""
    known = {
        "mode": '"load"', "rate": "1000", "warmup_s": "0.5", "steady_s": "4", "section_s": "0.5", "workers": "1",
        **dict(line.split(" = ", 1) for line in measure.splitlines() if line),
    }  # fmt: skip
    table = "\n".join(f"{key} = {value}" for key, value in known.items())
    head = f'question = "how long?"\nworkload = "used"\n[measure]\n{table}\n{MIX}'
    return parse_load_scenario(head + text, path=f"{name}.toml", name=name)


def players(cost_ns: Mapping[tuple[str, str, str], float] | None = None, **changes: Any) -> FakePlayers:
    return FakePlayers(library=LIBRARY, cost_ns=cost_ns or COST_NS, population={("", ""): POPULATION}, **changes)


def bench(fake: FakePlayers, folder: Path, *loads: LoadScenario, extent: Extent = ONCE, **lab: Any) -> Record:
    """A whole bench."""
    return pipeline.bench(_lab(fake, folder, **lab), (), build(library()), loads=loads, extent=extent).record


def compare(
    fake: FakePlayers,
    folder: Path,
    *loads: LoadScenario,
    seed: int = 1,
    budget_s: float = 20.0,
    earlier: Record | None = None,
    **lab: Any,
) -> Record:
    """A whole compare of the builds "a" and "b": their libraries end in 0.0.so and 1.0.so."""
    builds = (build(library(), digest="a" * 64), build(library(), digest="b" * 64))
    made: Opened = pipeline.compare(
        replace(_lab(fake, folder), seed=seed, **lab), (), builds, name="main", budget_s=budget_s, earlier=earlier, loads=loads
    )
    return made.record


def _lab(fake: FakePlayers, folder: Path, **changes: Any) -> Any:
    runner = FakeRunner(library=library(), cost_ns={}, seed=1)
    return replace(laboratory(runner, folder), players=fake, **changes)
