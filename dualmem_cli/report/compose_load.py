"""Loads: what every kind of operation took, what was promised and found, section by section."""

from dualmem_cli.judge.population import metric_of, promises
from dualmem_cli.judge.saturation import search_is_cut
from dualmem_cli.model.load import LoadRun
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit, human, significant
from dualmem_cli.model.verdict import BenchFinding, Quantity
from dualmem_cli.report.layout import (
    Block,
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
)

_TITLES = {"p50": "P50", "p95": "P95", "p99": "P99", "p99.9": "P99.9", "max": "max"}
_SHOWN_FANS = 12


def load_sections(record: Record) -> tuple[Section, ...]:
    """A table per load, a row for every kind of operation and one for all together."""
    tables = [_table(run, finding) for finding in record.bench if (run := record.load_run(finding.case)) and finding.quantities]
    return (Section("Loads", Level.NORMAL, tuple(tables)),) if tables else ()


def _table(run: LoadRun, finding: BenchFinding) -> Table:
    known = {quantity.name: quantity for quantity in finding.quantities}
    columns = {
        **_TITLES,
        **({f"{SERVICE}.p50": "service P50", f"{SERVICE}.p99": "service P99"} if run.open else {}),
        ERRORS: "failed",
        **({OVERHEAD: "over its twin"} if OVERHEAD in known else {}),
    }
    rows = []
    for kind in (*run.kinds, ""):
        prefix = f"{kind}." if kind else ""
        count = sum(known[f"{name}.operations"].estimate.value for name in ((kind,) if kind else run.kinds))
        cells = tuple(cell(_text(known.get(f"{prefix}{name}"))) for name in columns)
        rows.append(Row((cell(kind or "all"), cell(f"{count:,.0f}"), *cells), Level.NORMAL, run.id))
    since = "latency from the scheduled time; service: from the begin" if run.open else "latency from the begin"
    heads = (Column("operation", name=True), *(Column(title, numeric=True) for title in ("count", *columns.values())))
    return Table(f"{run.id}: {since}", heads, tuple(rows))


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
        notes.append(plain(saturation_text(known[SATURATION], cut=search_is_cut(run))))
    if OVERHEAD in known:
        twin = run.scenario.control
        named = f"{twin.workload}/{twin.variant}" if twin else "its twin"
        notes.append(plain(f"{estimate_text(known[OVERHEAD])} against {named}"))
    if DRIFT in known:
        notes.append(plain(f"median drifts by {estimate_text(known[DRIFT])}"))
    return notes


def saturation_text(quantity: Quantity, *, cut: bool) -> str:
    """'holds up to 12,300/s (13,000/s does not)'; of a search that was `cut`, what it had tried: 'search interrupted: 12,300/s held, no
    rate failed yet'."""
    held, failed = quantity.estimate.value, quantity.estimate.high
    if cut:
        told = [f"{held:,.0f}/s held" if held else "no rate held yet"]
        told.append(f"{failed:,.0f}/s did not" if failed != float("inf") else "no rate failed yet")
        return f"search interrupted: {', '.join(told)}"
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
