"""One verdict per case, with the sentence that says what was proved."""

import math
from dataclasses import replace

import pytest
from fabricated import COMPARE_ARMS, KERNEL, MEMORY, POPULATION, build, case_run, library, paired, samples, scenario, worker

from dualmem_cli.judge.cautions import build_cautions, compare_cautions
from dualmem_cli.judge.compare import absent_finding, compare_finding, rule_for, workers_missing, workers_of
from dualmem_cli.model.caution import CautionKind
from dualmem_cli.model.kernel import Build, Kernel, Output
from dualmem_cli.model.metric import Better
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.verdict import CompareFinding, Verdict

BUILDS = (build(library(), digest="a" * 64), build(library(), digest="b" * 64))


def orders(*given: WorkerRun) -> tuple[WorkerRun, ...]:
    """The workers, every second one having set up the candidate first."""
    return tuple(replace(one, draw=replace(one.draw, order=(index % 2, 1 - index % 2))) for index, one in enumerate(given))


def workers(ratio: float, count: int = 6) -> tuple[WorkerRun, ...]:
    """Workers round `ratio` with a tenth of a per cent of scatter, whichever build they set up first."""
    return orders(*(paired(ratio * (1 + 0.001 * (index % 3 - 1))) for index in range(count)))


def noisy(count: int = 6) -> tuple[WorkerRun, ...]:
    """Workers that disagree by 20 %."""
    return orders(*(paired(1.0 + 0.2 * (index // 2 % 2)) for index in range(count)))


def find(
    run: CaseRun, *, text: str = "", kernel: Kernel = KERNEL, builds: tuple[Build, Build] = BUILDS, cases: int = 1
) -> CompareFinding:
    return compare_finding(scenario(text), kernel, run, builds, cases=cases)


@pytest.mark.parametrize(
    ("ratio", "verdict", "reason"),
    [
        (1.08, Verdict.REGRESSED, "more than 5 % slower (99.9 %)"),
        (1.0, Verdict.UNCHANGED, "less than 5 % slower (99.9 %)"),
        (0.8, Verdict.IMPROVED, "faster by about 20.0 % (99.9 % that it is faster)"),
        (1.0502, Verdict.REGRESSED, "more than 4 % slower (99.9 %), and the estimate is above 5 %"),
        (1.0498, Verdict.UNCHANGED, "less than 6 % slower (99.9 %), and the estimate is not above 5 %"),
    ],
)
def test_verdict_and_what_it_proved(ratio: float, verdict: Verdict, reason: str) -> None:
    found = find(case_run(*workers(ratio)))
    assert (found.verdict, found.threshold) == (verdict, 0.05)
    assert reason in found.reason
    assert found.reason.endswith("6 workers")
    assert found.change is not None
    assert found.change.value == pytest.approx(ratio - 1, abs=1e-4)
    assert found.change.low < found.change.value < found.change.high
    assert found.baseline_ns is not None
    assert found.candidate_ns is not None
    assert found.candidate_ns / found.baseline_ns == pytest.approx(ratio, rel=1e-3)


def test_a_suite_shares_its_false_alarms_and_every_pass_has_its_own_error() -> None:
    rule = rule_for(scenario(), cases=20)
    assert rule.alarm_error == pytest.approx(0.001 / 20), "Bonferroni: twenty cases together err as rarely as one"
    assert rule.miss_error == rule_for(scenario(), cases=1).miss_error == 0.001, "a pass is about its own case"
    assert rule_for(scenario("[gate]\ntime = 0.1"), cases=0).threshold == 0.1


@pytest.mark.parametrize(
    ("ratio", "reason"),
    [
        (1.08, "more than 5 % slower (99.995 %)"),
        (1.0502, "more than 4 % slower (99.995 %)"),
        (1.0498, "less than 6 % slower (99.9 %)"),
        (1.0, "less than 5 % slower (99.9 %)"),
        (0.8, "(99.9 % that it is faster)"),
    ],
)
def test_what_is_published_is_the_confidence_of_the_bound_that_decided(ratio: float, reason: str) -> None:
    assert reason in find(case_run(*workers(ratio)), cases=20).reason


@pytest.mark.parametrize("threshold", [0.01, 0.025, 0.1])
def test_the_words_follow_the_threshold(threshold: float) -> None:
    text = f"[gate]\ntime = {threshold}"
    words = {0.01: ("0.8 %", "1 %"), 0.025: ("2 %", "2.5 %"), 0.1: ("8 %", "10 %")}[threshold]
    found = find(case_run(*workers(1.0 + threshold * 1.02, 24)), text=text)
    assert found.reason.startswith(f"more than {words[0]} slower (99.9 %), and the estimate is above {words[1]}; ")


def test_an_order_effect_is_averaged_over_and_is_no_noise() -> None:
    """Whoever is set up first is 3 % slower: as on a store that misses the caches."""
    plain = [1.0 + 0.001 * (index // 2 % 3 - 1) for index in range(6)]
    ordered = [ratio * (1.03 if index % 2 else 1 / 1.03) for index, ratio in enumerate(plain)]
    one, other = (find(case_run(*orders(*map(paired, ratios)))) for ratios in (plain, ordered))
    assert other.verdict is one.verdict is Verdict.UNCHANGED
    assert one.change is not None
    assert other.change is not None
    assert other.change.high == pytest.approx(one.change.high, abs=1e-4)
    assert [worker.first for worker in workers_of(case_run(*orders(*map(paired, plain))))] == [0, 1] * 3


@pytest.mark.parametrize("count", [1, 3, 5])
def test_too_few_workers_is_inconclusive_with_what_it_would_take(count: int) -> None:
    found = find(case_run(*workers(1.0, count)))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert f"straddles 5 % after {count} workers; about" in found.reason
    assert "--budget " in found.reason
    assert found.change is not None
    assert found.change.count == count


def test_between_looks_the_last_look_counts() -> None:
    assert find(case_run(*workers(1.0, 6), *orders(paired(3.0)))).reason == "less than 5 % slower (99.9 %); 6 workers"
    found = find(case_run(*noisy(7)))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "straddles 5 % after 6 workers; about" in found.reason


def test_noise_is_inconclusive() -> None:
    found = find(case_run(*noisy()))
    assert found.verdict is Verdict.INCONCLUSIVE


def test_the_budget_that_would_decide_counts_whole_workers() -> None:
    """Start and set-up cost as well: six workers of 2 s have used 12 s, and some more are wanted."""
    slow = (replace(one, seconds=2.0) for one in noisy())
    reason = find(case_run(*slow)).reason
    more = float(reason.partition("about ")[2].partition(" s more")[0])
    assert more >= 2.0 * 2
    assert int(reason.rpartition("--budget ")[2]) == math.ceil(12.0 + more)


def test_nothing_is_said_to_be_wholly_certain() -> None:
    found = find(case_run(*workers(1.5, 20)), cases=100_000)
    assert "(99.999 %)" in found.reason


def test_more_workers_are_wanted_up_to_the_next_look_until_decided_or_wrong() -> None:
    def more(*given: WorkerRun) -> int:
        return workers_missing(scenario(), KERNEL, case_run(*given), cases=1)

    assert more() == 6
    assert [more(*workers(1.0, count)) for count in (1, 5, 6, 7, 40)] == [5, 1, 0, 0, 0]
    assert more(replace(paired(1.0), check=None)) == 0, "a problem ends the case"
    assert [more(*noisy(count)) for count in (6, 7, 8, 12, 13, 24)] == [2, 1, 2, 4, 3, 6]


def test_when_time_is_up_the_finding_may_do_with_less_proof_than_the_next_look() -> None:
    """A case that would go on is judged as it stands: the far margin is excluded."""
    close = orders(*(paired(ratio) for ratio in (1.055, 1.056, 1.057, 1.058, 1.062, 1.063)))
    assert workers_missing(scenario(), KERNEL, case_run(*close), cases=1) == 2
    found = find(case_run(*close))
    assert found.verdict is Verdict.REGRESSED
    assert found.reason == "more than 4 % slower (99.9 %), and the estimate is above 5 %; 6 workers"


def test_a_problem_takes_every_number_away() -> None:
    lying = replace(workers(1.5)[0], check=None)
    found = find(case_run(lying, *workers(1.5)))
    assert (found.verdict, found.change, found.baseline_ns, found.candidate_ns) == (Verdict.INVALID, None, None, None)


def test_the_slowest_of_the_pair_does_not_matter_when_the_processor_was_lost() -> None:
    """Twice as long in exactly the disturbed samples: nothing remains."""
    schedule = "0110" * 5
    wall = [200_000 + 7 * (index // 4) for index in range(20)]
    switches = [0] * 20
    for index in (1, 5, 9, 13, 2, 6):
        wall[index], switches[index] = 400_000, 1
    cpu = [min(ns, 200_000 + 7 * (index // 4)) for index, ns in enumerate(wall)]
    run = case_run(*(worker(samples(schedule, wall, cpu_ns=cpu, switches=switches)) for _ in range(6)))
    assert [one.log for one in workers_of(run)] == [0.0] * 6
    assert find(run).verdict is Verdict.UNCHANGED
    (caution,) = compare_cautions(run)
    assert (caution.kind, caution.what) == (
        CautionKind.PREEMPTED,
        "30 % of the samples lost the processor: left out, or counted by processor time",
    )


def test_layouts_are_averaged_over_and_listed() -> None:
    builds = (build(library(), links=2), build(library(), links=2))
    made = [replace(one, draw=replace(one.draw, links=(index % 2, index // 2 % 2))) for index, one in enumerate(workers(1.08, 8))]
    found = find(case_run(*made), builds=builds)
    assert [(cell.baseline, cell.candidate, cell.workers) for cell in found.layouts] == [
        ("0", "0", 2), ("0", "1", 2), ("1", "0", 2), ("1", "1", 2),
    ]  # fmt: skip
    assert all(cell.change == pytest.approx(0.08, abs=0.002) for cell in found.layouts)


GATED = "[gate.metrics]\nmemory_bytes = 0.1"


@pytest.mark.parametrize(
    ("candidate", "verdict"), [(64.0, "unchanged"), (70.4, "unchanged"), (70.5, "regressed"), (1.0, "unchanged")]
)
def test_a_gated_metric_fails_the_gate_by_itself(candidate: float, verdict: str) -> None:
    made = [replace(one, metrics=((9.0, 64.0), (9.0, candidate))) for one in workers(1.0)]
    found = find(case_run(*made), text=GATED)
    assert found.verdict == verdict
    (metric,) = found.metrics
    assert (metric.baseline, metric.candidate, metric.worsened) == (64.0, candidate, verdict == "regressed")
    if metric.worsened:
        assert found.reason.startswith("memory_bytes 64 -> 70.5: worse than allowed; time: less than 5 % slower")
    assert find(case_run(*made)).metrics == (), "a metric that is not gated is not judged"


def test_a_metric_that_should_be_high_worsens_when_it_falls() -> None:
    kernel = replace(KERNEL, metrics=(replace(MEMORY, name="hits", better=Better.HIGHER),))
    builds = (build(library(kernel)), build(library(kernel)))
    for after, worse in ((80.0, True), (120.0, False)):
        made = [replace(one, metrics=((100.0,), (after,))) for one in workers(1.0)]
        found = find(case_run(*made), text="[gate.metrics]\nhits = 0.1", kernel=kernel, builds=builds)
        assert found.metrics[0].worsened is worse


def test_metrics_are_found_by_name_in_either_builds_own_table() -> None:
    """The candidate declares one metric more, before the gated one."""
    new = replace(KERNEL, metrics=(replace(MEMORY, name="cache_bytes"), POPULATION, MEMORY))
    builds = (build(library()), build(library(new)))
    made = [replace(one, metrics=((9.0, 64.0), (1e6, 9.0, 64.0))) for one in workers(1.0)]
    found = find(case_run(*made), text=GATED, kernel=new, builds=builds)
    assert found.verdict is Verdict.UNCHANGED
    assert (found.metrics[0].baseline, found.metrics[0].candidate) == (64.0, 64.0)


@pytest.mark.parametrize("side", [0, 1])
def test_an_empty_store_is_seen_whatever_else_a_build_declares(side: int) -> None:
    other = replace(KERNEL, metrics=(replace(MEMORY, name="cache_bytes"), POPULATION, MEMORY))
    kernels = (KERNEL, other) if side else (other, KERNEL)
    values = {id(KERNEL): (0.0, 64.0), id(other): (5.0, 0.0, 64.0)}
    full = {id(KERNEL): (7.0, 64.0), id(other): (5.0, 7.0, 64.0)}
    metrics = tuple((values if index == side else full)[id(kernel)] for index, kernel in enumerate(kernels))
    made = [replace(one, metrics=metrics) for one in workers(1.0)]
    found = find(case_run(*made), kernel=kernels[1], builds=(build(library(kernels[0])), build(library(kernels[1]))))
    assert found.verdict is Verdict.INVALID
    assert found.reason.startswith(f"{COMPARE_ARMS[side].role} spin/plain ran on an empty store (population 0)")


@pytest.mark.parametrize("side", [0, 1])
def test_a_gated_metric_that_a_build_does_not_know_is_no_pass(side: int) -> None:
    known, unknown = (9.0, 64.0), (9.0, None)
    metrics = (unknown, known) if side == 0 else (known, unknown)
    found = find(case_run(*(replace(one, metrics=metrics) for one in workers(1.0))), text=GATED)
    assert found.verdict is Verdict.INVALID
    assert found.reason == f"memory_bytes is gated and the {COMPARE_ARMS[side].role} does not know it"


def test_a_gated_metric_that_is_new_has_nothing_to_be_compared_with() -> None:
    builds = (build(library(replace(KERNEL, metrics=(POPULATION,)))), build(library()))
    made = [replace(one, metrics=((9.0,), (9.0, 64.0))) for one in workers(1.0)]
    found = find(case_run(*made), text=GATED, builds=builds)
    assert (found.verdict, found.metrics) == (Verdict.UNCHANGED, ())


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(0.99, "unchanged"), (0.986, "unchanged"), (0.985, "unchanged"), (0.984, "regressed"), (1.0, "unchanged")],
)
def test_a_recall_that_fell_is_a_regression_above_its_floor(after: float, verdict: str) -> None:
    kernel = replace(KERNEL, output=Output.NEIGHBOURS)
    found = find(case_run(*workers(1.0), recall=(0.99, after)), kernel=kernel)
    assert found.verdict == verdict


def test_absent_findings_and_one_layout() -> None:
    found = absent_finding("s/plain", Verdict.MISSING, "gone")
    assert (found.case, found.verdict, found.change, found.reason) == ("s/plain", Verdict.MISSING, None, "gone")
    assert [caution.kind for caution in build_cautions(BUILDS)] == [CautionKind.ONE_LAYOUT] * 2
    assert build_cautions((build(library(), links=4), build(library(), links=2, digest="c" * 64))) == ()


def test_the_same_bytes_are_called_so() -> None:
    twice = build(library(), links=4)
    assert [caution.kind for caution in build_cautions((twice, twice))] == [CautionKind.SAME_BUILD]
    assert build_cautions((twice,)) == (), "a bench has one build"
