"""Real builds with known answers through the real command line: exit status, words, records."""

import json

import jsonschema
import pytest
from command_line import Dualmem


def verdict(dualmem: Dualmem) -> tuple[str, str]:
    (finding,) = dualmem.record("compare")["compare"]
    return finding["verdict"], finding["reason"]


def test_the_same_build_passes_and_a_slower_one_fails(dualmem: Dualmem) -> None:
    steady = dualmem.scenario(samples=200)
    same = dualmem.compare("ok", steady)
    assert same.status == 0, same
    assert verdict(dualmem)[0] == "unchanged"
    slower = dualmem.compare("slower_10", steady)
    assert slower.status == 1, slower
    assert "REGRESSED" in slower.out
    record = dualmem.record("compare")
    assert record["compare"][0]["change"]["value"] == pytest.approx(0.10, abs=0.03)
    assert [control["held"] for control in record["controls"]] == [True, True]
    faster = dualmem.compare("ok", steady, against="slower_10")
    assert faster.status == 0, faster
    assert verdict(dualmem)[0] == "improved"


@pytest.mark.parametrize(
    ("subject", "status", "found", "said"),
    [
        ("crashes_in_run", 3, "invalid", "candidate spin/plain: the worker died of SIGSEGV in check"),
        ("crashes_in_setup", 3, "invalid", "in setup"),
        ("exits_in_run", 3, "invalid", "candidate spin/plain"),
        ("lies", 3, "invalid", "outputs differ: checksum of candidate spin/plain"),
        ("refuses_setup", 3, "invalid", 'setup: work: "1000" does not fit'),
        ("empty_store", 3, "invalid", "candidate spin/plain ran on an empty store (population 0)"),
        ("unsupported", 5, "incomparable", "not supported here: needs a vector unit of 4096 bits"),
        ("noisy_stdout", 0, "unchanged", "less than 5 % slower"),
    ],
)
def test_a_library_that_misbehaves(dualmem: Dualmem, subject: str, status: int, found: str, said: str) -> None:
    done = dualmem.compare(subject, dualmem.scenario(samples=200))
    assert done.status == status, done
    assert verdict(dualmem)[0] == found
    assert said in verdict(dualmem)[1]
    assert not dualmem.record()["interrupted"]


def test_a_library_that_hangs_costs_its_timeout_and_nothing_else(dualmem: Dualmem) -> None:
    scenarios = [dualmem.scenario("one", timeout=0.7), dualmem.scenario("two", kernel="spin_values", timeout=0.7)]
    done = dualmem.compare("hangs_in_run", *scenarios)
    assert done.status == 3, done
    reasons = [finding["reason"] for finding in dualmem.record()["compare"]]
    assert all("no answer within 0.7 s, stopped in check" in reason for reason in reasons), reasons


def test_a_crash_costs_one_case_and_the_rest_is_measured(dualmem: Dualmem) -> None:
    """The crash comes after the operations of the check: one kernel of the library reaches it, the other never does."""
    crashes = dualmem.scenario("bad", tail="[params]\nafter = 17")
    fine = dualmem.scenario("good", tail="[params]\nafter = 1000000000000", samples=200)
    done = dualmem.compare("crashes_in_run", crashes, fine, against="crashes_in_run")
    assert done.status == 3, done
    assert [finding["verdict"] for finding in dualmem.record()["compare"]] == ["invalid", "unchanged"]


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("wrong_abi", "the library has kernel table version 99.0, this dualmem reads 1.x"),
        ("no_symbol", "exports no dm_library_get"),
        ("not_there", "no such library"),
    ],
)
def test_a_library_that_cannot_be_opened_is_named(dualmem: Dualmem, subject: str, said: str) -> None:
    for done in (dualmem.compare(subject), dualmem("kernels", dualmem.subject(subject))):
        assert done.status == 2, done
        assert said in done.err
        assert done.err.startswith("dualmem: ")
        assert done.err.count("\n") == 1
        assert f"/{subject}.so" in done.err
        assert ".keeping-" not in done.err, "the file that was given, not our copy of it"
    assert list((dualmem.folder / "reports").glob("*.json")) == [], "and nothing is left behind"


def test_json_is_one_document_that_obeys_the_published_schema(dualmem: Dualmem) -> None:
    schema = dualmem("schema", "summary").json
    jsonschema.Draft202012Validator.check_schema(schema)
    good = dualmem.compare("slower_10", dualmem.scenario(samples=200), "--json")
    jsonschema.validate(good.json, schema)
    assert good.status == 1
    assert good.err == "", "-q: no talk"
    bad = dualmem.compare("lies", dualmem.scenario(), "--json")
    jsonschema.validate(bad.json, schema)
    assert bad.status == 3
    bench = dualmem("bench", "--json", dualmem.scenario(), "--library", dualmem.subject("ok"))
    jsonschema.validate(bench.json, schema)
    assert "[1/1] quick plain" in bench.err, "a line per case in a log"
    record_schema = dualmem("schema", "record").json
    jsonschema.validate(dualmem.record("bench"), record_schema)
    jsonschema.validate(dualmem.record("compare"), record_schema)


def test_without_a_scenario_every_kernel_of_the_table_runs(dualmem: Dualmem) -> None:
    done = dualmem("kernels", dualmem.subject("ok"), "--json")
    names = {kernel["name"] for kernel in done.json["kernels"]}
    done = dualmem(
        "compare", "-q", "--no-explain", "--json", "--library", dualmem.subject("slower_10"), "--against", dualmem.subject("ok")
    )
    assert done.status == 1
    assert {finding["case"].split("/")[0] for finding in dualmem.record()["compare"]} == names


def test_real_data_and_recall(dualmem: Dualmem) -> None:
    tail = "[gate]\nrecall_floor = 0.95\n[params]\nk = 5"
    data = '[data]\nsynthetic = "clustered"\nrows = 400\nqueries = 20\ndim = 24\nclusters = 4'
    scenario = dualmem.scenario("nearest", kernel="nearest", head=data, tail=tail)
    done = dualmem.compare("vectors", scenario, against="vectors")
    assert done.status in (0, 4), done  # a kernel of microseconds in samples of 50 us may stay undecided on a busy machine
    record = dualmem.record()
    assert record["cases"][0]["recall"] == [1.0, 1.0]
    assert record["data"][0]["measured_similarity"] == pytest.approx(0.7, abs=0.02)
    done = dualmem.compare("fails_recall", scenario, against="vectors")
    assert done.status == 3, done
    assert "of candidate nearest/plain is below its floor 0.95" in verdict(dualmem)[1]


def test_recall_against_time_of_peers(dualmem: Dualmem) -> None:
    """Peers are clocked too, each in workers of its own; a line for every arm, and a picture on the page."""
    data = '[data]\nsynthetic = "clustered"\nrows = 400\nqueries = 20\ndim = 24\nclusters = 4'
    tail = 'mode = "latency"\noperations = 40\npasses = 2\n[params]\nk = 5'
    scenario = dualmem.scenario("nearest", kernel="nearest", head=data, tail=tail)
    peers = ("--peer", dualmem.subject("vectors"), "--peer", dualmem.subject("fails_recall"))
    done = dualmem("bench", "-v", scenario, "--library", dualmem.subject("vectors"), *peers)
    assert done.status == 0, done
    record = dualmem.record("bench")
    lines = {line["build"]: line["points"] for line in record["frontier"]}
    assert sorted(lines) == [0, 1, 2]
    assert [point["recall"] for build in (0, 1) for point in lines[build]] == [1.0, 1.0]
    assert lines[2][0]["recall"] < 0.9
    assert all(point["latencies"] == 160 and point["p99_ns"] >= point["p50_ns"] > 0 for (point,) in lines.values())
    assert all(point["per_second"] > 0 for (point,) in lines.values())
    workers = record["cases"][0]["workers"]
    assert [[latency["arm"] for latency in worker["latency"]] for worker in workers] == [[0], [], [1], [2]] * 2
    assert "Recall against time" in done.out
    summary = dualmem("bench", scenario, "--library", dualmem.subject("vectors"), *peers, "--json").json
    assert [line["build"] for line in summary["frontier"]] == [0, 1, 2]


def test_a_budget_is_enforced_when_asked_for(dualmem: Dualmem) -> None:
    scenario = dualmem.scenario(tail='[budget]\ntime = "<= 1 ns"')
    arguments = ("bench", "-q", scenario, "--library", dualmem.subject("ok"))
    assert dualmem(*arguments).status == 0
    assert dualmem(*arguments, "--enforce-budgets").status == 1


def test_a_peer_is_measured_beside_and_its_record_is_a_baseline(dualmem: Dualmem) -> None:
    """The peer does exactly 8 % more work; what it lacks is named; a baseline is the build alone, whoever ran beside it."""
    scenario = dualmem.scenario(samples=200)
    done = dualmem("bench", scenario, "--library", dualmem.subject("ok"), "--peer", dualmem.subject("slower_8"))
    assert done.status == 0, done
    record = dualmem.record("bench")
    (finding,) = record["bench"]
    ratios = {q["name"]: q["estimate"]["value"] for q in finding["quantities"]}
    assert ratios["speedup over plain of peer 1"] == pytest.approx(1.08, abs=0.03)
    assert [arm["role"] for arm in record["cases"][0]["arms"]] == ["subject", "peer"]
    assert "as fast as plain of peer 1" in done.out
    assert dualmem("baseline", "save", "b").status == 0
    assert dualmem("compare", scenario, "--baseline", "b", "--library", dualmem.subject("ok")).status == 0
    wrong = dualmem("bench", scenario, "--library", dualmem.subject("ok"), "--peer", dualmem.subject("wrong_output"))
    assert wrong.status == 3, "a peer that computes something else is no peer"
    assert "outputs differ" in wrong.out
    missing = dualmem("bench", scenario, "--library", dualmem.subject("ok"), "--peer", "nowhere.so")
    assert missing.status == 2
    assert "nowhere.so: no such library" in missing.err


def test_colour_is_asked_for_or_not(dualmem: Dualmem) -> None:
    dualmem.compare("slower_10")
    (record,) = (dualmem.folder / "reports").glob("*.json")
    plain = dualmem("report", record)
    assert "\x1b[" not in plain.out
    assert "\x1b[" in dualmem("report", record, FORCE_COLOR="1").out
    for environment in ({"NO_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert "\x1b[3" not in dualmem("report", record, **environment).out
    as_json = dualmem("report", record, "-f", "json").out
    assert json.loads(as_json) == json.loads(dualmem("report", record, "--format", "json").out)


def test_going_on_with_a_record(dualmem: Dualmem) -> None:
    """What was decided stands, without a worker more; another pair is refused before anything is measured."""
    scenario = dualmem.scenario()
    first = dualmem.compare("slower_10", scenario)
    assert first.status == 1, first
    (path,) = (dualmem.folder / "reports").glob("*-compare.json")
    before = dualmem.record("compare")
    again = dualmem(
        *("compare", "-q", "--no-explain", "--continue", path),
        *("--library", dualmem.subject("slower_10"), "--against", dualmem.subject("ok")),
    )
    named = "--continue goes on with the scenarios of its record. Leave the scenarios out."
    assert named in dualmem.compare("slower_10", scenario, "--continue", path).err
    assert again.status == 1, again
    after = dualmem.record("compare")
    assert after["continues"] == before["created"]
    assert [len(run["workers"]) for run in after["cases"]] == [len(run["workers"]) for run in before["cases"]]
    anew = dualmem.compare("slower_10", scenario)
    assert anew.status == 1, anew
    (caution,) = [caution for caution in dualmem.record("compare")["cautions"] if caution["kind"] == "repeated"]
    assert caution["what"].startswith("these two builds were compared 2 times before, 2 of 2 with a regression")
    other = dualmem(
        "compare", "-q", "--library", dualmem.subject("slower_8"), "--against", dualmem.subject("ok"), "--continue", path
    )
    assert other.status == 5, other
    assert (
        "only what one gate measured of the same builds on the same machine adds up. Leave out --continue to begin anew."
        in other.err
    )
