"""From scenario and library to cases: sweeps, ranges, names that the library does not have, variants this machine cannot run."""

from dataclasses import replace

import pytest
from fabricated import CASE, KERNEL, PARAMETER, library, scenario

from dualmem_cli.errors import ScenarioError
from dualmem_cli.model.kernel import Output
from dualmem_cli.model.plan import Role
from dualmem_cli.plan.cases import bench_arms, compare_arms, control_arms, default_scenarios, expand
from dualmem_cli.plan.spelling import did_you_mean

UNSUPPORTED = replace(KERNEL, variant="wide", supported=False, reason="needs 4096 bits")
TWIN = replace(KERNEL, name="spin_single")
LIBRARY = library(KERNEL, UNSUPPORTED, TWIN)


def test_a_sweep_is_every_combination_in_order() -> None:
    fine = replace(PARAMETER, name="share", integer=False, default=0.5, minimum=0.0, maximum=1.0)
    kernel = replace(KERNEL, parameters=(PARAMETER, fine))
    made = expand(scenario("[params]\nwork = [1, 1000000000]\nshare = [0, 1]"), library(kernel), data="dd").cases
    assert [dict(case.parameters) for case in made] == [
        {"work": 1.0, "share": 0.0}, {"work": 1.0, "share": 1.0}, {"work": 1e9, "share": 0.0}, {"work": 1e9, "share": 1.0},
    ]  # fmt: skip
    assert [case.id for case in made][:2] == ["s/plain/work=1,share=0", "s/plain/work=1,share=1"]
    assert made[2].label == "work 1000000000, share 0, plain"
    assert {case.data for case in made} == {"dd"}


def test_parameters_that_are_not_stated_have_defaults_and_stay_out_of_the_name() -> None:
    (case,) = expand(scenario(), library(), data="").cases
    assert case.parameters == (("work", 1000.0),)
    assert (case.id, case.label) == ("s/plain", "plain")


def test_an_unsupported_variant_is_listed_with_its_reason_and_the_rest_is_kept() -> None:
    expansion = expand(scenario("[params]\nwork = [1, 2]", variants='["plain", "wide"]'), LIBRARY, data="")
    assert [case.id for case in expansion.cases] == ["s/plain/work=1", "s/plain/work=2"]
    assert [(absent.case, absent.reason) for absent in expansion.absent] == [
        ("s/wide/work=1", "not supported here: needs 4096 bits"),
        ("s/wide/work=2", "not supported here: needs 4096 bits"),
    ]


MISTAKES = {
    'kernel = "spun"': ("", {"kernel": "spun"}, 's.toml:2: "spun" is not a kernel of fabricated; did you mean "spin"?'),
    "variant": ("", {"variants": '["plane"]'}, 's.toml:3: "plane" is not a variant of spin; did you mean "plain"?'),
    "one variant of two": ("", {"variants": '["plain", "plane"]'}, 's.toml:3: "plane" is not a variant of spin'),
    "parameter": ("[params]\nwrok = 3", {}, 's.toml:5: [params] "wrok" is not a parameter of spin; did you mean "work"?'),
    "below range": ("[params]\nwork = [1, 0]", {}, 's.toml:5: [params] "work" is 0, outside of 1 to 1e+09'),
    "above range": ("[params]\nwork = 1000000001", {}, 's.toml:5: [params] "work" is 1e+09, outside of 1 to 1e+09'),
    "fraction": ("[params]\nwork = 1.5", {}, 's.toml:5: [params] "work" is a whole number, not 1.5'),
    "gated metric": (
        "[gate]\nmetrics.poplation = 0",
        {},
        's.toml:5: [gate.metrics] "poplation" is not a metric of spin; did you',
    ),
    "budget": ('[budget]\np99 = "<= 1 us"', {}, 's.toml:5: [budget] "p99" is not measured by this scenario (mode block); known:'),
    "budget of no twin": ('[budget]\noverhead = "<= 5 %"', {}, 's.toml:5: [budget] "overhead" is not measured by this scenario'),
    "budget of no neighbours": ('[budget]\nrecall = ">= 1"', {}, 's.toml:5: [budget] "recall" is not measured by this scenario'),
    "recall floor": ("[gate]\nrecall_floor = 0.9", {}, "s.toml:5: [gate] spin returns no neighbours, so it has no recall"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_name_that_only_the_library_knows_is_checked(name: str) -> None:
    text, changes, wanted = MISTAKES[name]
    with pytest.raises(ScenarioError) as caught:
        expand(scenario(text, **changes), LIBRARY, data="")
    assert str(caught.value).startswith(wanted), str(caught.value)


def test_a_scenario_error_in_an_unsupported_variant_is_still_an_error() -> None:
    with pytest.raises(ScenarioError, match="wrok"):
        expand(scenario("[params]\nwrok = 1", variants='["wide"]'), LIBRARY, data="")


def test_a_kernel_that_needs_data_is_refused_without() -> None:
    kernel = replace(KERNEL, needs_data=True)
    with pytest.raises(ScenarioError, match="spin needs vectors"):
        expand(scenario(), library(kernel), data="")


def test_quantities_follow_mode_and_output() -> None:
    neighbours = replace(KERNEL, output=Output.NEIGHBOURS)
    text = '[measure]\nmode = "latency"\n[gate]\nrecall_floor = 0.9\n[budget]\np99 = "<= 1 us"\nrecall = ">= 0.9"\npopulation = ">= 5"'
    assert len(expand(scenario(text), library(neighbours), data="").cases) == 1


def test_bench_arms_in_order_subject_empty_twin_slower_way() -> None:
    text = '[measure]\nempty = "nothing"\n[control]\nkernel = "spin_single"\n[beside]\nvariant = "scalar"\nspeedup = 2'
    known = library(KERNEL, replace(KERNEL, variant="scalar"), replace(KERNEL, name="nothing", variant="only"), TWIN)
    arms = bench_arms(scenario(text), CASE, known)
    assert [(arm.role, arm.kernel, arm.variant) for arm in arms] == [
        (Role.SUBJECT, "spin", "plain"),
        (Role.EMPTY, "nothing", "only"),
        (Role.CONTROL, "spin_single", "plain"),
        (Role.BESIDE, "spin", "scalar"),
    ]


def test_a_variant_is_not_measured_beside_itself() -> None:
    known = library(KERNEL, replace(KERNEL, variant="scalar"))
    text = '[beside]\nvariant = "scalar"\nspeedup = 2'
    assert len(bench_arms(scenario(text), replace(CASE, variant="scalar"), known)) == 1


ARM_MISTAKES = {
    '[measure]\nempty = "spn"': 's.toml:5: [measure] "spn" is not a kernel of fabricated; did you mean "spin"?',
    '[control]\nkernel = "spin_singel"': 's.toml:5: [control] "spin_singel" is not a kernel',
    '[beside]\nvariant = "skalar"\nspeedup = 2': 's.toml:5: [beside] spin has no variant "skalar"; known: plain, wide',
    '[beside]\nvariant = "wide"\nspeedup = 2': "s.toml:5: [beside] spin/wide is not supported here: needs 4096 bits",
}


@pytest.mark.parametrize("text", ARM_MISTAKES)
def test_arms_beside_the_subject_are_checked(text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        bench_arms(scenario(text), CASE, LIBRARY)
    assert str(caught.value).startswith(ARM_MISTAKES[text]), str(caught.value)


def test_compare_arms_are_the_same_kernel_of_two_builds() -> None:
    baseline, candidate = compare_arms(CASE)
    assert (baseline.role, baseline.build, candidate.role, candidate.build) == (Role.BASELINE, 0, Role.CANDIDATE, 1)
    assert (baseline.kernel, baseline.variant, baseline.work) == (candidate.kernel, candidate.variant, candidate.work)


def test_control_arms_are_a_copy_and_more_work_of_the_baseline() -> None:
    first, copy, more = control_arms(CASE, work=1.08)
    assert (first.build, copy.build, more.build) == (0, 1, 0)
    assert (first.work, copy.work, more.work) == (1.0, 1.0, 1.08)
    assert {arm.kernel for arm in (first, copy, more)} == {"spin"}


def test_default_scenarios_cover_every_kernel_that_needs_no_data() -> None:
    known = library(KERNEL, UNSUPPORTED, TWIN, replace(KERNEL, name="lookup", needs_data=True))
    made = default_scenarios([known])
    assert [(one.name, one.variants) for one in made] == [("spin", ("plain", "wide")), ("spin_single", ("plain",))]
    assert [case.id for one in made for case in expand(one, known, data="").cases] == ["spin/plain", "spin_single/plain"]


def test_spelling() -> None:
    assert did_you_mean("ef_serach", ["ef_search", "k"]) == 'did you mean "ef_search"?'
    assert did_you_mean("zzz", ["b", "a", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) == "none is known here"
