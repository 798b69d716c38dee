"""JUnit XML, as Jenkins and GitLab read it: a suite per scenario, a test per case, the finding's sentence as the message.

Regressed is a failure, invalid and incomparable are errors, missing is skipped; inconclusive is a failure, or skipped when it was allowed.
XML 1.0 cannot hold a control character in any spelling, so what acts unseen is written as an escape, as in every other report.
"""

from collections import defaultdict
from collections.abc import Sequence
from xml.etree import ElementTree

from dualmem_cli.model.record import Record
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import visible
from dualmem_cli.report.outcomes import Outcome, Result, outcomes

_ELEMENTS = {Result.FAILED: "failure", Result.BROKEN: "error", Result.SKIPPED: "skipped"}


def render(record: Record, context: ReportContext) -> str:
    """One XML document."""
    found = outcomes(record, context)
    root = ElementTree.Element(
        "testsuites", {"name": f"dualmem {record.kind}", **_counts(found), "time": f"{record.seconds:.3f}"}
    )
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in found:
        groups[outcome.group].append(outcome)
    for group, cases in groups.items():
        scenario = record.scenario_named(group)
        root.append(_suite(record, group, cases, path=scenario.path if scenario else ""))
    ElementTree.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(record: Record, group: str, cases: Sequence[Outcome], *, path: str) -> ElementTree.Element:
    seconds = sum(case.seconds for case in cases)
    attributes = {
        "name": visible(group),
        **_counts(cases),
        "skipped": str(_count(cases, Result.SKIPPED)),
        "time": f"{seconds:.3f}",
    }
    suite = ElementTree.Element("testsuite", {**attributes, "timestamp": record.created[:19]})
    properties = ElementTree.SubElement(suite, "properties")
    facts = {"tool": record.tool, "cpu": record.machine.cpu, "baseline": record.baseline}
    facts |= {f"build {index}": f"{build.short} {build.origin}" for index, build in enumerate(record.builds)}
    for name, value in facts.items():
        if value:
            ElementTree.SubElement(properties, "property", {"name": name, "value": visible(value)})
    suite.extend(_case(case, path=path) for case in cases)
    return suite


def _case(outcome: Outcome, *, path: str) -> ElementTree.Element:
    attributes = {"name": visible(outcome.label), "classname": visible(outcome.group), "time": f"{outcome.seconds:.3f}"}
    if path:
        attributes["file"] = visible(path)
    case = ElementTree.Element("testcase", attributes)
    message = visible(outcome.message)
    if outcome.result is Result.PASSED:
        if message:
            told = f"{outcome.headline}: {message}" if outcome.headline else message
            ElementTree.SubElement(case, "system-out").text = told
        return case
    found = ElementTree.SubElement(case, _ELEMENTS[outcome.result], {"message": f"{outcome.headline}: {message}"})
    if outcome.result is not Result.SKIPPED:
        found.set("type", outcome.headline)
        found.text = f"{visible(outcome.case or outcome.label)}\n{message}"
    return case


def _counts(found: Sequence[Outcome]) -> dict[str, str]:
    return {
        "tests": str(len(found)),
        "failures": str(_count(found, Result.FAILED)),
        "errors": str(_count(found, Result.BROKEN)),
    }


def _count(found: Sequence[Outcome], result: Result) -> int:
    return sum(outcome.result is result for outcome in found)
