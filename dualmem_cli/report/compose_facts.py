"""The parts that bench and compare share: what ran where, cautions, absent cases, and the facts behind the figures."""

from collections import defaultdict

from dualmem_cli.model.caution import Caution
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun, DataFacts, Record
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.units import Unit, human, significant
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.report.layout import (
    Block,
    Column,
    Emphasis,
    Facts,
    Level,
    Notes,
    Row,
    Section,
    Source,
    Span,
    Table,
    Tone,
    cell,
    code,
    faint,
    joined,
    plain,
    strong,
)
from dualmem_cli.report.phrases import amount, case_name, counted


def case_title(record: Record, case_id: str) -> tuple[str, str]:
    """Scenario and label of a case. A case that was never run (new or gone) is named by its id alone."""
    run = record.case_run(case_id)
    if run is not None:
        return run.case.scenario, run.case.label
    scenario, _, rest = case_id.partition("/")
    return scenario, rest


def header_line(record: Record) -> tuple[Span, ...]:
    """Tool, machine and clock in one line."""
    return machine_line(record.tool, record.machine, clock=clock_text(record))


def machine_line(tool: str, machine: Machine, *, clock: str) -> tuple[Span, ...]:
    """Tool and machine in one line, and the clock where there is one."""
    named = tool if tool.startswith("dualmem") else f"dualmem {tool}"
    parts = [
        f"{machine.cpu or machine.architecture}, {counted(machine.cores, 'core')}, {' '.join(machine.isa) or machine.architecture}"
    ]
    if clock:
        parts.append(f"clock {clock}")
    return (*strong(named), Span("  "), *plain("; ".join(parts)))


def clock_text(record: Record) -> str:
    """The clock that timed the samples, "" when nothing was timed."""
    for run in record.cases:
        for worker in run.workers:
            if worker.clock is not None:
                return f"{worker.clock.name} {human(worker.clock.cost_ns, Unit.NANOSECOND)}"
    for clock in (player.clock for load in record.loads for player in load.players):
        if clock is not None:
            return f"{clock.name} {human(clock.cost_ns, Unit.NANOSECOND)}"
    return ""


def build_text(build: Build) -> str:
    """A build in a few words: '3f2a91c (gcc 12.2.0, 4 layouts)'."""
    compiler = build.library.compiler
    named = f"compiler {compiler}" if compiler[:1].isdigit() else compiler or "compiler not known"
    return f"{build.short} ({named}, {counted(len(build.links), 'layout')})"


def cautions_section(record: Record) -> tuple[Section, ...]:
    """Every caution with its remedy; the same one in several cases is told once."""
    if not record.cautions:
        return ()
    places: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for caution in record.cautions:
        places[(caution.kind.value, caution.what, caution.remedy)].append(caution.case)
    lines = tuple(
        (*strong(kind), Span(": "), *_place(record, cases), *plain(_sentence(what)), *_remedy(remedy))
        for (kind, what, remedy), cases in places.items()
    )
    return (Section("Cautions", Level.NORMAL, (Notes(lines),)),)


def case_cautions(record: Record, case_id: str) -> tuple[Block, ...]:
    """The cautions that concern one case."""
    lines = tuple(_caution_line(caution) for caution in record.cautions if caution.case == case_id)
    return (Notes(lines),) if lines else ()


def absent_section(record: Record) -> tuple[Section, ...]:
    """Cases that were not run, each with the reason."""
    if not record.absent:
        return ()
    rows = tuple(Row((cell(absent.case), cell(absent.reason))) for absent in record.absent)
    table = Table("", (Column("case", name=True), Column("why it was not run", remark=True)), rows)
    return (Section("Not run", Level.NORMAL, (table,)),)


def fact_sections(record: Record) -> tuple[Section, ...]:
    """Machine, builds, data and scenario sources: what a reader needs to believe or to repeat the figures."""
    sections = [
        Section("Machine", Level.VERBOSE, (machine_facts(record.machine, clock=clock_text(record), revision=record.revision),))
    ]
    if record.builds:
        bench = ("library", *(f"peer {build.library.name}" for build in record.builds[1:]))
        roles = bench if record.kind == "bench" else ("baseline", "candidate")
        if record.since is not None and record.since.stored_only:
            roles = ("candidate",)
        facts = tuple(build_facts(build, role) for build, role in zip(record.builds, roles, strict=False))
        sections.append(Section("Builds", Level.VERBOSE, facts))
    if record.data:
        sections.append(Section("Data", Level.VERBOSE, (_data_table(record.data),)))
    scenarios: tuple[Scenario | LoadScenario, ...] = (
        *record.scenarios,
        *{run.scenario.name: run.scenario for run in record.loads}.values(),
    )
    if scenarios:
        sections.append(Section("Scenarios", Level.VERBOSE, tuple(_scenario_source(s) for s in scenarios)))
    return tuple(sections)


def machine_facts(machine: Machine, *, clock: str, revision: str) -> Facts:
    """The machine's fingerprint. A fact that could not be read says so."""
    pairs = (
        ("processor", machine.cpu),
        ("architecture", machine.architecture),
        ("cores", f"{machine.cores}"),
        ("instruction sets", " ".join(machine.isa)),
        ("caches", ", ".join(f"{name} {human(size, Unit.BYTE)}" for name, size in machine.caches)),
        ("memory", human(machine.memory_bytes, Unit.BYTE)),
        ("huge pages", machine.huge_pages),
        ("microcode", machine.microcode),
        ("governor", machine.governor),
        ("hypervisor", machine.hypervisor),
        ("kernel", machine.kernel),
        ("C library", machine.libc),
        ("Python", machine.python),
        ("clock source", machine.clock_source),
        ("clock cost", clock),
        ("source revision", revision),
    )
    return Facts("", tuple((name, plain(value) if value else faint("not known here")) for name, value in pairs))


def workers_table(record: Record, run: CaseRun) -> Table:
    """What each worker was dealt and brought back, as facts."""
    titles = ("worker", "cpu", "layouts", "placement", "stack", "set up", "iterations", "timed", "memory", "outcome")
    words, extra = {"layouts", "set up", "outcome"}, {"placement", "stack", "set up"}
    columns = tuple(
        Column(title, numeric=title not in words, level=Level.VERBOSE if title in extra else Level.QUIET) for title in titles
    )
    rows = tuple(_worker_row(record, number, worker) for number, worker in enumerate(run.workers, 1))
    arms = ", ".join(f"{index} {_arm_text(run, index)}" for index in range(len(run.arms)))
    return Table(f"{counted(len(rows), 'worker')} in the order they ran; arms: {arms}", columns, rows, long=True)


def _worker_row(record: Record, number: int, worker: WorkerRun) -> Row:
    draw = worker.draw
    names = [build.links[link].layout for build, link in zip(record.builds, draw.links, strict=False) if link < len(build.links)]
    if worker.samples is not None:
        timed = counted(len(worker.samples.schedule), "sample")
        iterations = " ".join(f"{count:,}" for count in sorted(set(worker.samples.iterations)))
    else:
        timed = counted(sum(latency.every.count for latency in worker.latency), "operation")
        iterations = "1"
    memory = amount(worker.resources.max_rss_bytes, Unit.BYTE) if worker.resources else ""
    failure = worker.failure
    halfway = ", pages exchanged halfway" if worker.samples is not None and worker.samples.exchange else ""
    alone = f" arm {worker.latency[0].arm}" if worker.latency and worker.latency[0].arm else ""
    outcome = (
        cell(f"measured{alone}{halfway}")
        if failure is None
        else cell(f"{failure.kind} in {failure.phase}: {failure.message}", Tone.WORSE)
    )
    return Row(
        (
            cell(f"{number}"),
            cell("any" if draw.cpu is None else f"{draw.cpu}"),
            cell(" / ".join(names)),
            cell(human(draw.placement, Unit.BYTE)),
            cell(human(draw.stack, Unit.BYTE)),
            cell(" ".join(map(str, draw.order))),
            cell(iterations if failure is None else ""),
            cell(timed if failure is None else ""),
            cell(memory),
            outcome,
        ),
    )


def _arm_text(run: CaseRun, index: int) -> str:
    arm = run.arms[index]
    work = f", work x {significant(arm.work)}" if arm.work != 1 else ""
    copy = ", copy" if arm.role is Role.BASELINE and index > 0 and arm.work == 1 else ""
    return f"{arm.role} ({arm.kernel}/{arm.variant}{work}{copy})"


def build_facts(build: Build, role: str) -> Facts:
    """Everything that is known of a build."""
    library = build.library
    pairs: list[tuple[str, tuple[Span, ...]]] = [
        ("library", plain(f"{library.name} {library.version}".strip())),
        ("origin", plain(build.origin)),
        ("digest", code(build.digest)),
        ("revision", code(library.revision) if library.revision else faint("not known")),
        ("compiler", plain(library.compiler)),
        ("flags", code(library.flags)),
        ("kernel table", plain(f"version {library.abi[0]}.{library.abi[1]}, {counted(len(library.kernels), 'kernel')}")),
    ]
    pairs += [
        (f"layout {link.layout}", joined((code(link.path), faint(f"sha256 {link.sha256[:16]}")), "  ")) for link in build.links
    ]
    return Facts(role, tuple(pairs))


def _data_table(data: tuple[DataFacts, ...]) -> Table:
    titles = ("source", "digest", "rows", "queries", "dim", "similarity promised", "measured")
    columns = tuple(Column(title, numeric=index > 1) for index, title in enumerate(titles))
    rows = tuple(
        Row(
            (
                cell(facts.source),
                cell(facts.digest[:16], emphasis=Emphasis.CODE),
                cell(f"{facts.rows:,}"),
                cell(f"{facts.queries:,}"),
                cell(f"{facts.dim:,}"),
                cell(_similarity(facts.promised_similarity)),
                cell(_similarity(facts.measured_similarity)),
            )
        )
        for facts in data
    )
    return Table("", columns, rows)


def _similarity(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _scenario_source(scenario: Scenario | LoadScenario) -> Source:
    return Source(f"{scenario.name}: {scenario.question} ({scenario.path}, sha256 {scenario.digest[:16]})", scenario.source)


def _caution_line(caution: Caution) -> tuple[Span, ...]:
    return (*strong(caution.kind.value), Span(": "), *plain(_sentence(caution.what)), *_remedy(caution.remedy))


def _remedy(remedy: str) -> tuple[Span, ...]:
    return (Span(f" Remedy: {_sentence(remedy)}"),) if remedy else ()


def _place(record: Record, cases: list[str]) -> tuple[Span, ...]:
    named = [case for case in cases if case]
    if not named:
        return ()
    run = record.case_run(named[0])
    first = case_name(run.case) if run else named[0]
    rest = f" and {counted(len(named) - 1, 'more case')}" if len(named) > 1 else ""
    return (*plain(f"{first}{rest}: "),)


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if not stripped or stripped.endswith((".", "!", "?")) else f"{stripped}."
