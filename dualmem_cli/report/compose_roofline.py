"""The roofs of the machine and the cases under them."""

from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit, human, percent
from dualmem_cli.model.verdict import Quantity, Roof, RooflineFinding, RooflinePoint
from dualmem_cli.report.layout import (
    Block,
    Column,
    Figure,
    FigureKind,
    Level,
    Notes,
    Row,
    Section,
    Table,
    cell,
    plain,
)
from dualmem_cli.report.phrases import estimate_text

_MEANING = (
    "The share of the roof is 1 / distance: bytes and floating-point operations are counted by hand, not measured, and what a kernel "
    "writes, or does with whole numbers, is not in them, so 100 % need not be reachable (docs/explanation/limits.md)."
)


def roofline_sections(record: Record) -> tuple[Section, ...]:
    """A section where a case has its place; the drawing where one of them both moves and computes."""
    found = record.roofline
    if found is None:
        return ()
    figures: tuple[Figure, ...] = ()
    if drawable(found):
        caption = "GFLOP/s against floating-point operations per byte, both logarithmic. A case stays below the roof of what it reads from."
        figures = (Figure("", FigureKind.ROOFLINE, caption, "Roofline of the machine and the cases under it"),)
    blocks: tuple[Block, ...] = (_roofs(found), _points(found), Notes((plain(_MEANING),)), *figures)
    return (Section("Roofline", Level.VERBOSE, blocks),)


def drawable(found: RooflineFinding) -> bool:
    """Whether there is a point with an intensity, a peak, and something that limits reading."""
    roofs = [roof for roof in found.roofs if roof.threads == 1]
    has_both = {roof.bytes_each is None for roof in roofs} == {True, False}
    return has_both and any(point.intensity for point in found.points)


def _roofs(found: RooflineFinding) -> Table:
    columns = (
        Column("roof", name=True),
        Column("threads", numeric=True),
        Column("each goes through", numeric=True),
        Column("gives at most", numeric=True),
    )
    return Table("Roofs", columns, tuple(_roof_row(roof) for roof in found.roofs))


def _roof_row(roof: Roof) -> Row:
    name = "multiply and add" if roof.bytes_each is None else f"read {roof.level}"
    size = "" if roof.bytes_each is None else human(roof.bytes_each, Unit.BYTE)
    return Row((cell(name), cell(str(roof.threads)), cell(size), cell(estimate_text(Quantity("rate", roof.rate)))), Level.VERBOSE)


def _points(found: RooflineFinding) -> Table:
    columns = (
        Column("case", name=True),
        Column("FLOP per byte", numeric=True),
        Column("GFLOP/s", numeric=True),
        Column("GB/s", numeric=True),
        Column("roof"),
        Column("of the roof", numeric=True),
    )
    return Table("Cases, the nearest to its roof first", columns, tuple(_point_row(point) for point in _nearest_first(found)))


def _nearest_first(found: RooflineFinding) -> list[RooflinePoint]:
    return sorted(found.points, key=lambda point: -point.share)


def _point_row(point: RooflinePoint) -> Row:
    numbers = ("" if value is None else f"{value:.3g}" for value in (point.intensity, point.gflops, point.gigabytes))
    share = percent(point.share, signed=False, digits=0)
    return Row((cell(point.case), *(cell(number) for number in numbers), cell(point.level), cell(share)), Level.VERBOSE)
