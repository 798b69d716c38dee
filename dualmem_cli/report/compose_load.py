"""Loads: what every kind of operation took, what was promised and found, section by section."""

from dualmem_cli.judge.population import metric_of, promises
from dualmem_cli.model.load import LoadRun
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit, human, significant
from dualmem_cli.model.verdict import BenchFinding, Quantity
from dualmem_cli.report.compose_together import budget_spans
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Column,
    Facts,
    Figure,
    FigureKind,
    Level,
    Row,
    Section,
    Span,
    Table,
    Tone,
    cell,
    code,
    plain,
)
from dualmem_cli.report.phrases import (
    DRIFT,
    ERRORS,
    OVERHEAD,
    SATURATION,
    SERVICE,
    amount,
    counted,
    duration,
    estimate_text,
    kind_of,
)

_PERCENTILES = ("p50", "p95", "p99", "p99.9", "max")
_TITLES = {"p50": "P50", "p95": "P95", "p99": "P99", "p99.9": "P99.9", "max": "max"}
_SHOWN_FANS = 12


def load_sections(record: Record) -> tuple[Section, ...]:
    """A table of all loads, a row for every kind of operation and one for all together."""
    rows = [row for finding in record.bench if (run := record.load_run(finding.case)) for row in _rows(run, finding)]
    if not rows:
        return ()
    twins = any(quantity.name == OVERHEAD for finding in record.bench for quantity in finding.quantities)
    columns = (
        Column("load", group=True),
        Column("operation", name=True),
        Column("count", numeric=True),
        *(Column(_TITLES[name], numeric=True) for name in _PERCENTILES),
        Column("service P99", numeric=True),
        Column("failed", numeric=True),
        *((Column("over its twin", numeric=True),) if twins else ()),
        Column("budget"),
    )
    closed = all(not run.open for run in record.loads)
    caption = "Latency from the begin" if closed else "Latency from the scheduled time; service: from the begin"
    kept = tuple(row if twins else Row((*row.cells[:-2], row.cells[-1]), row.level, row.target) for row in rows)
    return (Section("Loads", Level.NORMAL, (Table(caption, columns, kept),)),)


def load_notes(run: LoadRun, finding: BenchFinding) -> list[tuple[Span, ...]]:
    """What the row of a load says beside its percentiles."""
    known = {quantity.name: quantity for quantity in finding.quantities}
    others = [f"{_TITLES[name]} {_text(known[name])}" for name in ("p95", "p99.9", "max") if name in known]
    notes = [plain(", ".join(others))] if others else []
    rate, offered = known.get("rate"), known.get("offered")
    if rate is not None:
        told = f" of {_text(offered)} offered" if offered is not None else ""
        notes.append(plain(f"{_text(rate)} achieved{told}"))
    if SATURATION in known:
        notes.append(plain(saturation_text(known[SATURATION])))
    if OVERHEAD in known:
        twin = run.scenario.control
        named = f"{twin.workload}/{twin.variant}" if twin else "its twin"
        notes.append(plain(f"{estimate_text(known[OVERHEAD])} against {named}"))
    if DRIFT in known:
        notes.append(plain(f"median drifts by {estimate_text(known[DRIFT])}"))
    return notes


def saturation_text(quantity: Quantity) -> str:
    """'holds up to 12,300/s (13,000/s does not)'."""
    held, failed = quantity.estimate.value, quantity.estimate.high
    lost = f"{failed:,.0f}/s does not" if failed != float("inf") else "no rate failed"
    return f"holds up to {held:,.0f}/s ({lost})" if held else f"no rate held ({lost})"


def load_about(run: LoadRun) -> list[tuple[Level, Block]]:
    """What was asked, what was played, and whether the store held what it promised."""
    workload, trace, measure = run.workloads[0], run.trace, run.scenario.measure
    arrivals = measure.arrivals
    source = f"{trace.operations:,} operations in {trace.duration_ns / 1e9:g} s ({human(trace.rate, Unit.PER_SECOND)})"
    pairs = [
        ("question", plain(run.scenario.question)),
        ("workload", (*code(f"{workload.name}/{workload.variant}"), *plain(f": {workload.summary}" if workload.summary else ""))),
        ("parameters", plain(", ".join(f"{name} {value:,.15g}" for name, value in run.scenario.parameters) or "defaults")),
        (
            "arrivals",
            plain(f"{arrivals.kind}, {counted(measure.threads, 'thread')}, {counted(len(run.players), 'process', 'processes')}"),
        ),
        ("trace", (*plain(f"{source}, sha256 "), *code(trace.digest[:16]))),
    ]
    fans = next((player.before[0].fans for player in run.players if player.before), None)
    if fans is not None:
        pairs.append(("nodes by fan", plain(_fans_text(fans))))
    if run.times:
        pairs.append(("times", code(run.times)))
    blocks: list[tuple[Level, Block]] = [(Level.VERBOSE, Facts("", tuple(pairs)))]
    return [*blocks, *((Level.VERBOSE, table) for table in _population(run))]


def load_figures(run: LoadRun, finding: BenchFinding) -> list[tuple[Level, Block]]:
    """Latency by percentile, and over time."""
    blocks: list[tuple[Level, Block]] = []
    if finding.quantities:
        blocks += [
            (
                Level.EVERYTHING,
                Figure(
                    run.id,
                    FigureKind.LOAD_PERCENTILES,
                    f"Latency by percentile, {_since(run)}; a line per kind, the thick one all together; dashed: all together from the "
                    "begin, which is what a closed loop would have shown.",
                    f"Latency by percentile of every kind of operation in {run.id}",
                ),
            ),
            (
                Level.EVERYTHING,
                Figure(
                    run.id,
                    FigureKind.LOAD_TIME,
                    f"Latency of every section over time, {_since(run)}, all kinds together.",
                    f"Latency over time in {run.id}",
                ),
            ),
        ]
    return blocks


def _since(run: LoadRun) -> str:
    return "from the scheduled time" if run.open else "from the begin"


def _rows(run: LoadRun, finding: BenchFinding) -> list[Row]:
    """A row per kind, the last one for all together; none for an invalid load."""
    known = {quantity.name: quantity for quantity in finding.quantities}
    rows = []
    for kind in (*run.kinds, "") if known else ():
        prefix = f"{kind}." if kind else ""
        own = [q for q in finding.quantities if q.met is not None and kind_of(q.name)[0] == kind]
        count = sum(known[f"{name}.operations"].estimate.value for name in ((kind,) if kind else run.kinds))
        rows.append(
            Row(
                (
                    cell(run.id),
                    cell(kind or "all"),
                    cell(f"{count:,.0f}"),
                    *(cell(_text(known.get(f"{prefix}{name}"))) for name in _PERCENTILES),
                    cell(_text(known.get(f"{kind}.{SERVICE}.p99"))),
                    cell(_text(known.get(f"{prefix}{ERRORS}"))),
                    cell(_text(known.get(f"{prefix}{OVERHEAD}"))),
                    Cell(tuple(budget_spans(quantity, named=True) for quantity in own)),
                ),
                Level.NORMAL,
                run.id,
            )
        )
    return rows


def _text(quantity: Quantity | None) -> str:
    return "" if quantity is None else amount(quantity.estimate.value, quantity.estimate.unit, quantity.name)


def _population(run: LoadRun) -> list[Table]:
    """What the store promised and held, after set-up and at the end."""
    stated = dict(run.scenario.parameters)
    rows: list[Row] = []
    for arm, workload in enumerate(run.workloads):
        promised = dict(promises(workload, stated))
        player = next((player for player in run.players if len(player.before) > arm), None)
        if player is None:
            continue
        after = player.after[arm].metrics if len(player.after) > arm else ()
        for metric in workload.metrics:
            values = [metric_of(workload, held, metric.name) for held in (player.before[arm].metrics, after)]
            told = [cell("-" if value is None else human(value, metric.unit)) for value in values]
            wanted = promised.get(metric.name)
            rows.append(
                Row((cell(run.arms[arm].role), cell(metric.name), cell("" if wanted is None else significant(wanted, 9)), *told))
            )
    columns = (
        Column("store", group=True),
        Column("holds", name=True),
        Column("promised", numeric=True),
        Column("after set-up", numeric=True),
        Column("at the end", numeric=True),
    )
    return [Table("Population, as the store counts it", columns, tuple(rows))] if rows else []


def _fans_text(fans: tuple[int, ...]) -> str:
    shown = ", ".join(f"{fan}: {count:,}" for fan, count in enumerate(fans[:_SHOWN_FANS]) if count)
    rest = sum(fans[_SHOWN_FANS:])
    return f"{shown}; {rest:,} with more, up to {len(fans) - 1}" if rest else shown


def plays_table(run: LoadRun) -> list[tuple[Level, Block]]:
    """Every play as it was."""
    titles = (
        "process",
        "at",
        "store",
        "for",
        "operations",
        "a second",
        "failed",
        "late by at most",
        "faults",
        "switches",
        "resident",
    )
    words = {"store", "for"}
    columns = tuple(Column(title, numeric=title not in words) for title in titles)
    rows = []
    for number, player in enumerate(run.players, 1):
        for (part, played), began_s in zip(player.plays, player.began_s, strict=True):
            late = played.lateness.max_ns if played.lateness is not None and played.lateness.count else None
            resident = "" if played.rss_bytes is None else amount(played.rss_bytes, Unit.BYTE)
            texts = (
                f"{number}", duration(began_s), run.arms[played.play.arm].role.value, part.value, f"{played.operations:,}",
                f"{1e9 * played.operations / max(1, played.elapsed_ns):,.0f}", f"{played.errors:,}",
                "" if late is None else amount(late, Unit.NANOSECOND), f"{played.minor_faults:,} + {played.major_faults:,}",
                f"{played.voluntary_switches:,} + {played.involuntary_switches:,}", resident,
            )  # fmt: skip
            tone = Tone.WORSE if played.errors else Tone.NEUTRAL
            rows.append(
                Row(
                    tuple(
                        cell(text, tone if title == "failed" else Tone.NEUTRAL) for title, text in zip(titles, texts, strict=True)
                    )
                )
            )
    table = Table(f"{counted(len(rows), 'play')} in the order they were played", columns, tuple(rows), long=True)
    return [(Level.EVERYTHING, table)] if rows else []
