"""JUnit XML as junitparser reads it, and by the rules of Jenkins's and GitLab's readers.

Jenkins's own grammar (jenkinsci/xunit-plugin, junit-10.xsd) and the older one that Ant's reports are described by
(windyroad/JUnit-Schema) are in no package that pip installs, so what they demand of these elements is written down here.
"""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from interchange.shown import AWKWARD, SEEN, SHOWN, STATUS, context, record_of, shown
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report import RENDERERS

SUITE = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package", "file", "log", "url"}
CASE = {"name", "classname", "time", "file", "line", "status"}
RESULTS = {"skipped": {"message", "type"}, "error": {"message", "type"}, "failure": {"message", "type"}}


def suites(text: str) -> list[TestSuite]:
    return list(JUnitXml.fromstring(text.encode()))


@pytest.mark.parametrize("name", SHOWN)
def test_the_grammar_of_jenkins(name: str) -> None:
    root = ElementTree.fromstring(shown(name, "junit").encode())
    assert root.tag == "testsuites"
    assert set(root.attrib) <= {"name", "time", "tests", "failures", "disabled", "errors"}
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors"} <= set(suite.attrib) <= SUITE
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"]), "ISO 8601 without a zone"
        assert [child.tag for child in suite].count("properties") == 1
        assert suite[0].tag == "properties"
        for case in suite[1:]:
            assert case.tag == "testcase"
            assert {"name", "classname"} <= set(case.attrib) <= CASE
            assert len([child for child in case if child.tag in RESULTS]) <= 1
            for child in case:
                assert child.tag in (*RESULTS, "system-out")
                assert set(child.attrib) <= RESULTS.get(child.tag, set())


@pytest.mark.parametrize("name", SHOWN)
def test_the_counts_are_those_of_the_cases(name: str) -> None:
    found = JUnitXml.fromstring(shown(name, "junit").encode())
    told = (found.tests, found.failures, found.errors)
    counted = [0, 0, 0]
    for suite in found:
        kinds = [type(result) for case in suite for result in case.result]
        expected = (len(list(suite)), kinds.count(Failure), kinds.count(Error), kinds.count(Skipped))
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == expected
        counted = [total + one for total, one in zip(counted, expected, strict=False)]
    assert told == tuple(counted)


@pytest.mark.parametrize("name", SHOWN)
def test_red_exactly_when_the_exit_status_is(name: str) -> None:
    found = JUnitXml.fromstring(shown(name, "junit").encode())
    assert bool(found.failures + found.errors) == (STATUS[name] is not ExitStatus.OK)


def test_every_verdict_is_what_a_ci_system_should_make_of_it() -> None:
    results = {}
    for suite in suites(shown("compare", "junit")):
        for case in suite:
            results[suite.name, case.name] = (
                (type(case.result[0]), case.result[0].message) if case.result else (None, case.system_out)
            )
    record = record_of("compare")
    wanted = {
        Verdict.REGRESSED: Failure, Verdict.INCONCLUSIVE: Failure, Verdict.INVALID: Error, Verdict.INCOMPARABLE: Error,
        Verdict.MISSING: Skipped, Verdict.UNCHANGED: None, Verdict.IMPROVED: None,
    }  # fmt: skip
    for finding in record.compare:
        run = record.case_run(finding.case)
        scenario, _, rest = finding.case.partition("/")
        kind, message = results[scenario, run.case.label if run else rest]
        assert kind is wanted[finding.verdict]
        assert message.startswith(f"{finding.verdict}: ")
        assert finding.reason in message


def test_what_may_stay_open_is_skipped() -> None:
    record = record_of("compare")
    record = replace(record, compare=tuple(f for f in record.compare if f.verdict is Verdict.INCONCLUSIVE))
    allowed, refused = (
        JUnitXml.fromstring(RENDERERS["junit"](record, context(status)).encode())
        for status in (ExitStatus.OK, ExitStatus.INCONCLUSIVE)
    )
    assert (allowed.failures, allowed.errors) == (0, 0)
    assert (refused.failures, refused.errors) == (1, 0)


def test_a_missed_budget_fails_only_where_budgets_are_enforced() -> None:
    record = record_of("bench")
    record = replace(record, bench=tuple(f for f in record.bench if not f.problem))
    shown_only, enforced = (
        JUnitXml.fromstring(RENDERERS["junit"](record, context(status)).encode())
        for status in (ExitStatus.OK, ExitStatus.REGRESSION)
    )
    assert shown_only.failures == 0
    assert enforced.failures == 3


@pytest.mark.parametrize("name", ["awkward-bench", "awkward-compare"])
def test_awkward_names_come_back(name: str) -> None:
    wanted = AWKWARD.replace("\n\x1b[31m", SEEN)
    found = {suite.name for suite in suites(shown(name, "junit"))}
    assert wanted in found
    assert any(case.classname == wanted for suite in suites(shown(name, "junit")) for case in suite)
