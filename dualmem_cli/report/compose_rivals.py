"""Self-test: the rules of other tools beside dualmem's own."""

from collections.abc import Sequence

from dualmem_cli.model.curve import Comparison, OperatingCurve, Rate
from dualmem_cli.report.layout import Cell, Column, Figure, FigureKind, Level, Notes, Row, Section, Table, cell, plain
from dualmem_cli.report.phrases import plain_percent, rate_interval, share_text

_REPLAY = (
    "The rules see the same samples as dualmem's own: interleaved, from fresh processes, over rotated layouts. That flatters them: their "
    "tools do not sample so.",
    "In turn: all samples of one side, then all of the other, as most of these tools are used within one run. A baseline that was stored "
    "on another day fares worse.",
    "Only the decision is replayed, not a tool's warm-up, its choice of sample counts or its advice to repeat.",
)

_CAPTIONS = {
    FigureKind.RIVALS: "Share of decisions called a regression by each rule, on dualmem's interleaved samples.",
    FigureKind.RIVALS_IN_TURN: "The same rules on samples of one side after the other; dualmem's own as in the other figure.",
}


def rivals_section(curve: OperatingCurve) -> Section:
    """Every rule beside dualmem's own, with what the replay does not show."""
    if len(curve.comparisons) < 2:
        return Section("Other tools' rules", Level.NORMAL, ())
    quiet, loud = f"<= {plain_percent(curve.silent)}", f">= {plain_percent(curve.caught)}"
    columns = (
        Column("rule", name=True),
        Column(f"alarms {quiet}", numeric=True),
        Column(f"found {loud}", numeric=True),
        Column("alarms, in turn", numeric=True),
        Column("found, in turn", numeric=True),
        Column("how it decides", remark=True),
    )
    rows = tuple(_rival_row(row) for row in curve.comparisons)
    figures = tuple(
        Figure("", kind, caption, f"{caption} {_told(curve.comparisons, in_turn=kind is FigureKind.RIVALS_IN_TURN)}")
        for kind, caption in _CAPTIONS.items()
        if curve.drawable
    )
    caption = f"Share of decisions called a regression: false alarms {quiet}, detection {loud}, with 95 % intervals"
    table = Table(caption, columns, rows)
    return Section(
        "Other tools' rules on the same samples", Level.NORMAL, (*figures, table, Notes(tuple(plain(line) for line in _REPLAY)))
    )


def _told(rows: Sequence[Comparison], *, in_turn: bool) -> str:
    parts = []
    for row in rows:
        alarms, found = (row.false_alarms_in_turn, row.detection_in_turn) if in_turn else (row.false_alarms, row.detection)
        if alarms is not None and found is not None:
            parts.append(f"{row.name}: {share_text(alarms)} false alarms, {share_text(found)} detected")
    return "; ".join(parts)


def _rival_row(row: Comparison) -> Row:
    def share(rate: Rate | None) -> Cell:
        if rate is None or not rate.total:
            return cell("-")
        return Cell((plain(share_text(rate)), plain(rate_interval(rate))))

    return Row(
        (
            cell(row.name),
            share(row.false_alarms),
            share(row.detection),
            share(row.false_alarms_in_turn),
            share(row.detection_in_turn),
            cell(f"{row.says}. {row.source}" if row.source else row.says),
        )
    )
