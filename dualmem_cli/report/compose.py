"""From a record to its layout. No statistic is computed here: a number is in the record or it is not shown."""

from dualmem_cli.model.record import Record
from dualmem_cli.report.compose_bench import bench_details, bench_sections, bench_verdict
from dualmem_cli.report.compose_compare import compare_details, compare_header, compare_sections, compare_verdict
from dualmem_cli.report.compose_facts import absent_section, build_text, cautions_section, fact_sections, header_line
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.explanation import explanation_sections
from dualmem_cli.report.layout import Layout, Span, joined, plain, strong
from dualmem_cli.report.phrases import duration


def compose(record: Record, context: ReportContext) -> Layout:
    """The whole report as plain data."""
    if record.kind == "bench":
        header = [_bench_header(record)]
        verdict, sections, details = bench_verdict(record), bench_sections(record), bench_details(record)
    else:
        header = [header_line(record), compare_header(record)]
        verdict, sections, details = compare_verdict(record), compare_sections(record), compare_details(record)
    if record.interrupted:
        verdict = joined((strong("interrupted"), verdict), ": ")
    return Layout(
        title=f"dualmem {record.kind}",
        created=_moment(record.created),
        header=tuple(header),
        verdict=verdict,
        sections=(
            *sections,
            *explanation_sections(record.explanations, context.flame_graphs),
            *absent_section(record),
            *cautions_section(record),
        ),
        details=details,
        facts=fact_sections(record),
        closing=_closing(record, context),
        next_command=context.next_command,
    )


def _moment(created: str) -> str:
    """ISO 8601 as people read it: '2026-11-22 10:14:03 UTC'."""
    return created.replace("T", " ").replace("Z", " UTC").replace("+00:00", " UTC")


def status_text(context: ReportContext) -> str:
    """'exit 1 (regression)'."""
    return f"exit {context.exit_status.value} ({context.exit_status.name.lower().replace('_', ' ')})"


def _bench_header(record: Record) -> tuple[Span, ...]:
    line = header_line(record)
    if not record.builds:
        return line
    build = record.builds[0]
    return (*line, *plain(f"; library {build.library.name} {build_text(build)}"))


def _closing(record: Record, context: ReportContext) -> tuple[tuple[Span, ...], ...]:
    """How long it took and how it ends; where the files are."""
    lines = [plain(f"{duration(record.seconds)}, {status_text(context)}")]
    files = [f"{name} {path}" for name, path in (("Record", context.record_path), ("page", context.page_path)) if path]
    if files:
        lines.append(plain(", ".join(files)))
    return tuple(lines)
