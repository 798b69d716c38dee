"""`dualmem profile` of one build: from a scenario to what the profilers start, and from their outcome to lines."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dualmem_cli.cli import setting
from dualmem_cli.cli.counted import print_counts
from dualmem_cli.cli.judged import (
    marking_of,
    not_measured,
    print_judged,
    status_of,
    twin_document,
    twin_of,
    with_needed,
)
from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.judge.limits import threads_of
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure.data import cache_directory, materialise
from dualmem_cli.measure.machine import usable_cpus
from dualmem_cli.measure.prepared import prepared_file
from dualmem_cli.measure.protocol import encode
from dualmem_cli.measure.worker import native_path
from dualmem_cli.model.kernel import Library
from dualmem_cli.model.plan import Case, Task, WorkerArm, WorkerRequest
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.plan.cases import expand
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.profile.annotation_section import LINE_ROWS as HOTTEST_LINES
from dualmem_cli.profile.engines import COUNTERS, ENGINES, Counter, Engine, Unavailable, find_engine
from dualmem_cli.profile.flamegraph import share_text
from dualmem_cli.profile.marked import PROCESSES
from dualmem_cli.profile.sentences import printable
from dualmem_cli.profile.session import PROFILE_VERSION, Captured, ProfileOutcome, Twin, profile_case
from dualmem_cli.profile.target import Target, Work
from dualmem_cli.store.builds import digest_of, digest_of_links
from dualmem_cli.store.records import new_path

_ROUNDS_FROM_S = 1.0  # shorter captures are not cut into several processes
_HOTTEST_SHOWN = 5
_SAMPLE_NS = 2_000_000  # of a sample that is counted: a simulated processor takes 20 to 300 times as long


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options of `dualmem profile` ask for; the empty and 0 leave the choice to dualmem."""

    scenario: str
    engines: tuple[str, ...]
    case: str
    seconds: float
    rate: int
    operations: int
    cpus: tuple[int, ...]
    library: str
    reports: Path
    json: bool
    quiet: bool

    def announce(self, line: str) -> None:
        """A line for a person who waits."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)


def profile_one(wanted: Wanted, *, enforce_budgets: bool) -> ExitStatus:
    """One case of one build through the engines, shown, kept and judged."""
    engines_named(wanted.engines)  # a misspelt name is said before anything is built
    worker = setting.runner()
    found = binaries.resolve(wanted.library, start=Path.cwd())
    described = worker.describe(str(found.links[0]))
    (scenario,) = setting.read_scenarios(setting.scenario_paths([wanted.scenario]))
    point = chosen_case(scenario, described, wanted=wanted.case)
    engines = engines_named(wanted.engines) or engines_for(point)
    if enforce_budgets:
        engines = with_needed(engines, scenario.profile)
    if not wanted.case and needs_avx512(point) and any(engine.name == "callgrind" for engine in engines):
        native, point = point, chosen_case(scenario, described, wanted="", simulated=True)
        wanted.announce(f"callgrind: valgrind has no AVX-512, so {point.id} instead of {native.id}")
    marking = marking_of(scenario, found.links[0])
    rounds = PROCESSES if marking is not None and wanted.seconds >= _ROUNDS_FROM_S else 1

    def target_of(case: Case) -> Target:
        target = target_for(
            scenario,
            case,
            library=described,
            digest=digest_of_links([digest_of(found.links[0])]),
            link=found.links[0],
            seconds=wanted.seconds / rounds,
            operations=wanted.operations or scenario.profile.operations,
            sources=(found.tree or Path.cwd(), Path.cwd()),
            cpus=wanted.cpus,
        )
        return replace(target, rounds=rounds, marking=marking)

    target = target_of(point)
    counts_misses = any(engine.name == "callgrind" for engine in engines)
    single = twin_of(scenario, point, described) if counts_misses else None
    reserved = new_path(wanted.reports, created=setting.utc_now(), kind=f"profile-{scenario.name}")
    try:
        outcome = profile_case(
            target,
            engines=engines,
            rate=wanted.rate,
            directory=wanted.reports,
            stem=reserved.stem,
            announce=wanted.announce,
            twin=Twin(target_of(single), (point.kernel, single.kernel)) if single is not None else None,
            limits=scenario.profile,
        )
    finally:
        reserved.unlink(missing_ok=True)  # it only reserved the name
    unknown = not_measured(outcome, scenario.profile)
    if wanted.json:
        print(json.dumps(outcome_document(outcome, case=point.id, unknown=unknown), indent=2))
    else:
        print_outcome(outcome)
    for line in unknown:
        print(f"dualmem: {line}", file=sys.stderr)
    return status_of(outcome, unknown) if enforce_budgets else ExitStatus.OK


def engines_named(names: Sequence[str]) -> tuple[Engine | Counter, ...]:
    """The engines asked for, in the order of asking."""
    return tuple(find_engine(name) for name in dict.fromkeys(names))


def engines_for(case: Case) -> tuple[Engine | Counter, ...]:
    """When none was named: the samplers that see what the case runs (py-spy sees no thread that C made), and where no sampler works here,
    callgrind, if that does."""
    samplers = tuple(engine for engine in ENGINES if threads_of(case) == 1 or engine.name != "pyspy")
    if all(isinstance(engine.availability(), Unavailable) for engine in samplers):
        counters = tuple(engine for engine in COUNTERS if engine.name == "callgrind")
        return (*samplers, *(engine for engine in counters if not isinstance(engine.availability(), Unavailable)))
    return samplers


def chosen_case(scenario: Scenario, library: Library, *, wanted: str, simulated: bool = False) -> Case:
    """The case with the id `wanted`, or the scenario's first; of those that a simulated processor has, where it will be `simulated`.
    Raises DualmemError."""
    expansion = expand(scenario, library, data="")
    by_id = {case.id: case for case in expansion.cases}
    if wanted and wanted not in by_id:
        raise DualmemError(f'"{wanted}" is not a case of {scenario.name}; {did_you_mean(wanted, by_id)}')
    if not by_id:
        reasons = "; ".join(f"{absent.case}: {absent.reason}" for absent in expansion.absent)
        raise DualmemError(f"no case of {scenario.name} can run here: {reasons}", hint="Nothing was measured.")
    if wanted:
        return by_id[wanted]
    known = [case for case in expansion.cases if not (simulated and needs_avx512(case))]
    return (known or expansion.cases)[0]


def needs_avx512(case: Case) -> bool:
    """Whether valgrind's processor lacks what the variant is made of."""
    return "avx512" in case.variant


def target_for(
    scenario: Scenario,
    case: Case,
    *,
    library: Library,
    digest: str,
    link: Path,
    seconds: float,
    operations: int = 0,
    sources: tuple[Path, ...] = (),
    cpus: tuple[int, ...] = (),
) -> Target:
    """The same work as a Python process that calls the kernel through cffi, and as the C worker alone. What the kernel prepares is
    prepared here, by a process of its own: it is no part of the work. `digest` is that of the build that `link` is of."""
    request, files = request_for(scenario, case, library=library, digest=digest, link=link, cpus=cpus)
    request = replace(request, duration_ns=int(seconds * 1e9))
    kernel = library.kernel(case.kernel, case.variant)

    def sampled(operations: int, samples: int) -> str:
        target_ns = 0 if operations else _SAMPLE_NS
        counted = replace(request, task=Task.MEASURE, duration_ns=0, iterations=operations, target_ns=target_ns)
        return encode(replace(counted, schedule="0" * samples))

    return Target(
        title=f"{scenario.name} {case.label}",
        case_id=case.id,
        python_argv=(
            *(sys.executable, "-m", "dualmem_cli.measure.loop", str(link), case.kernel, case.variant, str(seconds)),
            *(word for option, path in files.items() for word in (option, str(path))),
            *(word for name, value in case.parameters for word in ("--parameter", f"{name}={value!r}")),
        ),
        native_argv=(str(native_path("dualmem-worker")),),
        native_stdin=encode(request),
        environment=(),
        seconds=seconds,
        focus=("spin", "dmx_timed_run"),  # where the kernel is called: in measure/loop.py, and in the worker
        work=Work(
            request=sampled,
            sampled="dmx_timed_run",
            operations=operations,
            threads=int(threads_of(case)),
            metrics=tuple(metric.name for metric in kernel.metrics) if kernel else (),
            sources=sources,
        ),
        cpus=cpus,
    )


def request_for(
    scenario: Scenario, case: Case, *, library: Library, digest: str, link: Path, cpus: tuple[int, ...] = ()
) -> tuple[WorkerRequest, dict[str, Path]]:
    """A worker that runs the case, and the files it reads by the names that measure/loop.py has for them. What the kernel prepares is
    prepared. The thread that calls a team is kept on one processor, as it is where it is measured; the team is elsewhere then."""
    kernel = library.kernel(case.kernel, case.variant)
    dataset = None
    if scenario.data is not None:
        dataset = materialise(scenario.data, directory=Path(scenario.path).parent, cache=cache_directory())
    files = {"--data": dataset.data, "--queries": dataset.queries} if dataset else {}
    request = WorkerRequest(
        task=Task.SPIN,
        libraries=(str(link),),
        arms=(WorkerArm(library=0, kernel=case.kernel, variant=case.variant),),
        parameters=case.parameters,
        data=str(dataset.data) if dataset else "",
        queries=str(dataset.queries) if dataset else "",
        cpu=max(cpus or usable_cpus(), default=None) if threads_of(case) > 1 else None,
    )
    if kernel is not None and kernel.prepare:
        path = prepared_file(
            setting.runner(),
            request,
            replace(case, data=dataset.facts.digest if dataset else ""),
            build=digest,
            cache=cache_directory(),
            timeout_s=scenario.measure.timeout_s,
        )
        request = replace(request, arms=(replace(request.arms[0], prepared=str(path)),))
        files["--prepared"] = path
    return request, files


def print_outcome(outcome: ProfileOutcome) -> None:
    """What was captured and counted and where it is; what refused, with its remedy, on stderr."""
    for captured in outcome.captures:
        print(captured.profile.line())
        for note in captured.profile.notes:
            print(f"  note: {note}")
        print(f"  {captured.folded}\n  {captured.speedscope}")
        for line in hottest_lines(captured):
            print(f"  {line}")
    for counted in outcome.counted:
        print_counts(counted)
    print_judged(outcome.shares, outcome.twin)
    print(f"flame graph {outcome.page}" if outcome.profiles else f"page {outcome.page}")
    for refusal in outcome.refusals:
        print(f"dualmem: {refusal.line()}", file=sys.stderr)


def hottest_lines(captured: Captured) -> list[str]:
    """The source lines with most samples, one line of text each; or what keeps them from being known."""
    annotation = captured.annotation
    if annotation is None:
        return []
    texts = [
        f"{share_text(line.samples, annotation.samples):>11} %  {line.where}  {printable(line.source or '')}".rstrip()
        for line in annotation.lines[:_HOTTEST_SHOWN]
    ]
    return [*(["hottest lines:"] if texts else []), *texts, *(f"note: {note}" for note in annotation.notes)]


def outcome_document(outcome: ProfileOutcome, *, case: str, unknown: Sequence[str]) -> dict[str, object]:
    """What was captured and counted as one JSON document; stacks are in the files it names."""
    sampled = [
        {
            "engine": each.profile.engine,
            "sampler": each.profile.sampler,
            "event": each.profile.event,
            "samples": each.profile.samples,
            "unknown_share": each.profile.unknown_share,
            "notes": list(each.profile.notes),
            "folded": str(each.folded),
            "speedscope": str(each.speedscope),
            "hottest": each.annotation.document(lines=HOTTEST_LINES) if each.annotation else None,
        }
        for each in outcome.captures
    ]
    return {
        "schema": PROFILE_VERSION,
        "case": case,
        "sampled": sampled,
        "counted": [
            {**each.counts.document(), "folded": str(each.capture.folded) if each.capture else None} for each in outcome.counted
        ],
        "dual_only": [asdict(share) for share in outcome.shares],
        "twin": twin_document(outcome.twin) if outcome.twin else None,
        "not_measured": list(unknown),
        "refused": [{"engine": r.engine, "reason": r.reason, "remedy": r.remedy} for r in outcome.refusals],
        "page": str(outcome.page),
    }
