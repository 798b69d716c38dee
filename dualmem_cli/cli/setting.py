"""Puts the real things together: scenario files, the library that is asked for, and the laboratory that measures it."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dualmem_cli.errors import BuildError, ScenarioError
from dualmem_cli.laboratory import Laboratory, Progress, Watch, unwatched
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure.data import cache_directory
from dualmem_cli.measure.inert import make_inert
from dualmem_cli.measure.load import loaded as load_beside
from dualmem_cli.measure.machine import read_machine, revision, usable_cpus
from dualmem_cli.measure.player import PlayerProcesses
from dualmem_cli.measure.provenance import gate_digest, replay_digest
from dualmem_cli.measure.turn import turn, turn_path
from dualmem_cli.measure.worker import WorkerProcesses, native_path
from dualmem_cli.model.kernel import CEILINGS, Build, Library
from dualmem_cli.model.record import Since
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.plan.cases import default_scenarios
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.plan.trials import SIZES
from dualmem_cli.selftest import Loaded, Subjects
from dualmem_cli.store import builds, records

PLAYER = "dualmem-player"
LOADS = "load"  # folder of load scenarios among the others
_LONGEST_BLOCK_S = 3600.0  # of trials under one load; a load that is not ended ends itself then


def runner() -> WorkerProcesses:
    """The real runner, or a clear error when the worker was never built."""
    return WorkerProcesses(native_path("dualmem-worker"))


def scenario_folder() -> Path:
    """./scenarios when there is one, else the shipped scenarios."""
    here = Path("scenarios")
    return here if any(here.glob("*.toml")) else native_path("scenarios")


def scenario_paths(chosen: list[str] | None) -> tuple[Path, ...]:
    """Files for what was asked for: paths as they are, names looked up; all of the folder when nothing was asked for."""
    folder = scenario_folder()
    if not chosen:
        return tuple(sorted(folder.glob("*.toml")))
    return tuple(_scenario_path(name, folder) for name in chosen)


def _scenario_path(name: str, folder: Path) -> Path:
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    found = next((path for path in (folder / f"{name}.toml", folder / LOADS / f"{name}.toml") if path.is_file()), None)
    if found is None:
        near = did_you_mean(name, (p.stem for part in (folder, folder / LOADS) for p in part.glob("*.toml")))
        raise ScenarioError(f'there is no scenario "{name}" in {folder}; {near}')
    return found


def read_scenarios(paths: tuple[Path, ...]) -> tuple[Scenario, ...]:
    """Read and validate scenario files of kernels. Raises ScenarioError, for a load as well."""
    kernels, loads = read_either(paths)
    if loads:
        raise ScenarioError(f"{loads[0].path}: a load scenario", hint="Loads are for `dualmem bench` and `dualmem compare`.")
    return kernels


def read_either(paths: tuple[Path, ...]) -> tuple[tuple[Scenario, ...], tuple[LoadScenario, ...]]:
    """Read and validate scenario files, of kernels and of loads. Two files of one name would be one scenario in the record, and are
    refused."""
    from dualmem_cli.plan.load_scenario import parse_any_scenario

    found: dict[str, Scenario | LoadScenario] = {}
    for path in paths:
        text = scenario_text(path)
        if path.stem in found and found[path.stem].path != str(path):
            raise ScenarioError(f'{path} and {found[path.stem].path} are both called "{path.stem}"', hint="Rename one.")
        found[path.stem] = parse_any_scenario(text, path=str(path), name=path.stem)
    return (
        tuple(known for known in found.values() if isinstance(known, Scenario)),
        tuple(known for known in found.values() if isinstance(known, LoadScenario)),
    )


def scenario_text(path: Path) -> str:
    """The text of a scenario file. Raises ScenarioError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}", hint="Give a scenario file or the name of a scenario.") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text", hint="Scenario files are TOML.") from None


def scenarios_for(
    chosen: list[str] | None, *, libraries: Sequence[Library], named: bool
) -> tuple[tuple[Scenario, ...], tuple[LoadScenario, ...]]:
    """The scenarios to run, of kernels and of loads. Libraries that were `named` without scenarios run the shipped ones that fit them, and
    every other kernel of their tables with declared defaults. Loads take minutes and are run where they are named."""
    if chosen or not named:
        return read_either(scenario_paths(chosen))
    names = {kernel.name for library in libraries for kernel in library.kernels}
    fitting = tuple(scenario for scenario in read_scenarios(scenario_paths(None)) if scenario.kernel in names)
    covered = {scenario.kernel for scenario in fitting} | CEILINGS  # which the pipeline adds where they serve
    return fitting + tuple(scenario for scenario in default_scenarios(libraries) if scenario.kernel not in covered), ()


def refuse_loads(loads: tuple[LoadScenario, ...]) -> None:
    """Raises ScenarioError where loads cannot be played."""
    if loads:
        raise ScenarioError(f"{loads[0].path}: a load is not sent to a fleet", hint="Run it on the machine itself.")


def keep_build(found: binaries.Binaries, *, worker: WorkerProcesses, reports: Path) -> Build:
    """Keep the links that will be measured, so that the record can be promoted to a baseline whatever the tree looks like then."""
    return builds.keep(
        found.links,
        origin=found.origin,
        revision=found.revision,
        describe=lambda path: _described(path, worker),
        copy=binaries.copy_link,
        beside=binaries.copy_debug,
        folder=reports / "builds",
    )


def players() -> PlayerProcesses:
    """The real players, or a clear error when the player was never built."""
    return PlayerProcesses(native_path(PLAYER))


def _described(path: str, worker: WorkerProcesses) -> Library:
    """What a library says of itself. One that has workloads and no kernels says it to a player."""
    try:
        return worker.describe(path)
    except BuildError:
        with contextlib.suppress(BuildError):
            known = players().describe(path)
            if known is not None:
                return Library("", known.abi, known.name, known.version, "", "", known.revision, ())
        raise


def selftest_subjects(*, worker: WorkerProcesses, reports: Path) -> Subjects:
    """The self-test's builds, which came with the package: <native>/selftest/<per cent of work added>/."""
    planted = {}
    for percent in (0, *SIZES):
        found = binaries.named(native_path(f"selftest/{percent}"))
        named = replace(found, origin=f"self-test, {percent} % more work" if percent else "self-test, baseline")
        planted[percent] = keep_build(named, worker=worker, reports=reports)
    return Subjects(planted=planted, inert=lambda seed, folder: make_inert(seed, folder=folder))


def loaded(worker: WorkerProcesses, *, seed: int) -> Loaded:
    """Starts loads with the worker's own executable."""
    return lambda load, cpus: load_beside(load, cpus=cpus, executable=worker.executable, seed=seed, longest_s=_LONGEST_BLOCK_S)


def utc_now() -> str:
    """ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _players_if_built() -> PlayerProcesses | None:
    """Whoever measures no load needs no player."""
    with contextlib.suppress(BuildError):
        return players()
    return None


def laboratory(
    *,
    worker: WorkerProcesses,
    kind: str,
    reports: Path,
    progress: Progress,
    since: Since | None = None,
    watch: Watch = unwatched,
) -> Laboratory:
    """The real laboratory, with a fresh record path."""
    now, players = utc_now(), _players_if_built()
    return Laboratory(
        runner=worker,
        copy_link=binaries.copy_link,
        machine=read_machine(),
        cpus=usable_cpus(),
        cache=cache_directory(),
        record_path=records.new_path(reports, created=now, kind=kind),
        progress=progress,
        seconds=time.monotonic,
        now=lambda: now,
        seed=int.from_bytes(os.urandom(4)),
        revision=revision(Path.cwd()),
        gate=gate_digest(worker.executable),
        since=since,
        players=players,
        watch=watch,
        replay_gate=replay_digest(players.executable) if players else "",
        turn=lambda: turn(turn_path(), waiting=_waiting),
    )


def _waiting() -> None:
    print("dualmem: waiting: another dualmem measures on this machine", file=sys.stderr, flush=True)
