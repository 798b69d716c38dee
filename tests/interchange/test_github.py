"""Annotations, read back by the rules of the runner (actions/runner, ActionCommand.cs): the command ends at the first "::" after it,
properties are divided by commas, and each part is unescaped, the per cent sign last.
"""

import re
from dataclasses import replace

import pytest
from interchange.shown import AWKWARD, SEEN, SHOWN, context, record_of, shown

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report import RENDERERS

LINE = re.compile(r"::(?P<command>error|warning|notice) (?P<properties>.*?)::(?P<message>.*)")
Annotation = tuple[str, dict[str, str], str]


def read(text: str) -> list[Annotation]:
    found = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        properties = {}
        for part in match["properties"].split(","):
            name, _, value = part.partition("=")
            assert name in ("file", "line", "title"), part
            properties[name] = unescaped(value, ("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
        found.append((match["command"], properties, unescaped(match["message"], ("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))))
    return found


def unescaped(text: str, *escapes: tuple[str, str]) -> str:
    for escape, character in escapes:
        text = text.replace(escape, character)
    return text


@pytest.mark.parametrize("name", SHOWN)
def test_every_line_is_one_command(name: str) -> None:
    found = read(shown(name, "github"))
    assert [c for c, _, _ in found] == sorted((c for c, _, _ in found), key=["error", "warning", "notice"].index)


def test_an_error_for_what_fails_and_the_reason_whole() -> None:
    record = record_of("compare")
    told = {message: (command, place) for command, place, message in read(shown("compare", "github"))}
    for finding in record.compare:
        found = [told[message] for message in told if finding.reason in message]
        match finding.verdict:
            case Verdict.UNCHANGED | Verdict.IMPROVED:
                assert not found
            case Verdict.MISSING:
                assert [command for command, _ in found] == ["notice"]
            case _:
                assert [command for command, _ in found] == ["error"]
                assert found[0][1]["title"].startswith(f"{finding.verdict}: {finding.case.split('/')[0]} ")


def test_nothing_is_said_of_a_good_run() -> None:
    record = replace(record_of("green"), absent=())
    kept = tuple(finding for finding in record.compare if finding.verdict is Verdict.UNCHANGED)
    assert RENDERERS["github"](replace(record, compare=kept), context(ExitStatus.OK)) == ""


def test_it_points_to_the_line_that_asks() -> None:
    source = (
        'question = "q"\nkernel = "similarity"\n\n[gate]\nrecall_floor = 0.5\ntime = 0.05\n[gate.metrics]\ninstructions = 0.02\n'
    )
    record = record_of("compare")
    first = record.compare[0]
    by_metric = replace(record, scenarios=tuple(replace(s, source=source) for s in record.scenarios), compare=(first,))
    by_time = replace(by_metric, compare=(replace(first, metrics=()),))
    for shown_record, line in ((by_metric, 8), (by_time, 6)):
        (_, place, _), *_ = read(RENDERERS["github"](shown_record, context(ExitStatus.REGRESSION)))
        assert place["file"] == "scenarios/similarity.toml"
        assert source.splitlines()[int(place["line"]) - 1] == source.splitlines()[line - 1]


def test_a_scenario_without_a_file_has_no_place() -> None:
    record = record_of("compare")
    record = replace(record, scenarios=tuple(replace(s, path="") for s in record.scenarios))
    assert all(set(place) == {"title"} for _, place, _ in read(RENDERERS["github"](record, context(ExitStatus.REGRESSION))))


def test_no_more_than_github_shows() -> None:
    record = record_of("compare")
    many = tuple(replace(record.compare[0], case=f"similarity/v{index}") for index in range(25))
    found = read(RENDERERS["github"](replace(record, compare=many, absent=()), context(ExitStatus.REGRESSION)))
    assert len(found) == 10
    assert found[-1][2].startswith("16 more: ")


@pytest.mark.parametrize("name", ["awkward-bench", "awkward-compare"])
def test_awkward_names_come_back(name: str) -> None:
    wanted = AWKWARD.replace("\n\x1b[31m", SEEN)
    assert any(wanted in place["title"] for _, place, _ in read(shown(name, "github")))
