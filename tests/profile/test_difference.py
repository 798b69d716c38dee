"""The difference of two profiles against an oracle of its own (numpy, scipy), on random and on adversarial stacks."""

import math
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from profile_pairs import STEM, known_pair
from scipy import stats

from dualmem_cli.cli.reasoning import most_added
from dualmem_cli.errors import DataError
from dualmem_cli.profile.difference import FEWEST, Difference, difference, pooled_pair, relabelled
from dualmem_cli.profile.folded import Profile, Stack, read_folded, write_folded
from dualmem_cli.profile.shares import design_effect, difference_interval, holm, two_proportions, wilson


def of(profile: Profile, stacks: dict[Stack, int]) -> Profile:
    return replace(profile, stacks=tuple(sorted(stacks.items())), samples=sum(stacks.values()))


def path_of(difference_: Difference, node: int) -> Stack:
    names: list[str] = []
    while node > 0:
        names.append(difference_.tree.names[node])
        node = difference_.tree.parents[node]
    return tuple(reversed(names))


def fisher(x: int, y: int, n: int, m: int) -> float:
    """scipy's exact test, one tail doubled."""
    table = [[x, n - x], [y, m - y]]
    return min(1.0, 2.0 * min(float(stats.fisher_exact(table, alternative=side).pvalue) for side in ("less", "greater")))


@pytest.mark.parametrize("seed", range(20))
def test_the_test_is_fishers(seed: int) -> None:
    random_ = random.Random(seed)
    n, m = random_.randint(1, 3000), random_.randint(1, 3000)
    for x, y in [(random_.randint(0, n), random_.randint(0, m)) for _ in range(20)] + [(0, m), (n, 0), (1, 0)]:
        assert two_proportions((x, y), (n, m), design_effect=1.0) == pytest.approx(fisher(x, y, n, m), rel=1e-7, abs=1e-290)


def test_nothing_and_everything_are_no_difference() -> None:
    assert two_proportions((0, 0), (10, 20), design_effect=1.0) == 1.0
    assert two_proportions((10, 20), (10, 20), design_effect=1.0) == 1.0


def test_rare_functions_in_captures_of_unequal_length() -> None:
    """The normal tests make 3e-10 of this, the chi-square test with Yates's correction included."""
    assert two_proportions((5, 0), (500, 5000), design_effect=1.0) == pytest.approx(2 * 6.1e-6, rel=0.01)


def test_a_design_effect_takes_samples_away() -> None:
    whole = two_proportions((100, 140), (1000, 1000), design_effect=2.0)
    assert whole == pytest.approx(two_proportions((50, 70), (500, 500), design_effect=1.0))
    assert whole > two_proportions((100, 140), (1000, 1000), design_effect=1.0)


@pytest.mark.parametrize("count", [0, 1, 7, 500, 999, 1000])
def test_wilson(count: int) -> None:
    found = stats.binomtest(count, 1000).proportion_ci(method="wilson")
    assert wilson(count, 1000) == pytest.approx((found.low, found.high), abs=1e-12)


def test_newcombe_by_his_own_table() -> None:
    """Newcombe 1998, table II: method 10 for 56/70 - 48/80 and 10/10 - 0/10."""
    assert difference_interval((48, 56), (80, 70), design_effect=1.0) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    low, high = difference_interval((0, 10), (10, 10), design_effect=1.0)
    assert (low, high) == pytest.approx((0.6075, 1.0), abs=5e-5)


def test_the_interval_covers() -> None:
    generator = np.random.default_rng(7)
    p, q, ratio = 0.07, 0.12, 1.2
    held = 0
    for x, y in zip(generator.binomial(800, p, 2000), generator.binomial(600, q, 2000), strict=True):
        low, high = difference_interval((int(x), int(y)), (800, 600), design_effect=1.0, ratio=ratio)
        held += low <= ratio * q - p <= high
    assert 0.935 < held / 2000 < 0.97


@pytest.mark.parametrize("seed", range(5))
def test_holm(seed: int) -> None:
    chances = list(np.random.default_rng(seed).uniform(0, 0.05, 30))
    adjusted = holm(chances)
    order = np.argsort(chances)
    ranked = np.array(chances)[order] * np.arange(30, 0, -1)
    assert np.allclose(np.array(adjusted)[order], np.minimum(np.maximum.accumulate(ranked), 1.0))
    assert holm([]) == ()
    assert holm([0.01]) == (0.01,)


def test_design_effect_is_one_for_independent_samples_and_sees_clumps() -> None:
    generator = np.random.default_rng(3)
    shares = [0.5, 0.3, 0.15, 0.05]
    names = ["a", "b", "c", "d"]

    def captures(clump: int) -> list[Counter[str]]:
        return [
            Counter({name: int(k) * clump for name, k in zip(names, generator.multinomial(400 // clump, shares), strict=True)})
            for _ in range(40)
        ]

    assert design_effect([captures(1), captures(1)]) == pytest.approx(1.0, abs=0.25)
    assert design_effect([captures(4), captures(4)]) == pytest.approx(4.0, abs=1.0)
    one = Counter({"a": 5})
    assert design_effect([[one], [one]]) == 1.0
    assert design_effect([[], [Counter(), one]]) == 1.0
    rows = np.array([[30, 50], [60, 20], [10, 30]])
    expected = stats.chi2_contingency(rows, correction=False)
    columns = [Counter(dict(zip("abc", map(int, column), strict=True))) for column in rows.T]
    assert design_effect([columns]) == pytest.approx(expected.statistic / expected.dof)


def random_stacks(seed: int) -> dict[Stack, int]:
    random_ = random.Random(seed)
    names = ["spin (loop.py)", "dm_x (a.so)", "dm_y (a.so)", "memcpy (libc.so.6)", "[kernel]", "a;b %3B (a.so)", "é\u2028 ()", ""]
    return {
        tuple(random_.choice(names) for _ in range(random_.randint(0, 6))): random_.choice([1, 1, 2, 30, 400]) for _ in range(40)
    }


@pytest.mark.parametrize("seed", range(10))
def test_tree_against_brute_force(profile: Profile, seed: int) -> None:
    a, b = random_stacks(seed), random_stacks(seed + 100)
    found = difference(of(profile, a), of(profile, b))
    seen = [path_of(found, node) for node in range(len(found.tree.names))]
    assert len(set(seen)) == len(seen)
    assert set(seen) == {stack[:depth] for stack in (*a, *b) for depth in range(len(stack) + 1)}
    for path, own, change in zip(seen, found.tree.own, found.tree.changes, strict=True):
        assert own == (a.get(path, 0), b.get(path, 0))
        sums = tuple(sum(c for s, c in side.items() if s[: len(path)] == path) for side in (a, b))
        assert (change.baseline, change.candidate) == sums
        assert change.value == pytest.approx(sums[1] / sum(b.values()) - sums[0] / sum(a.values()))
    for function in found.functions:
        for side, stacks in enumerate((a, b)):
            assert function.total[side] == sum(c for s, c in stacks.items() if function.name in s)
        assert function.own.baseline == sum(c for s, c in a.items() if s and s[-1] == function.name)
    assert found.only(0) == (len(a.keys() - b.keys()), sum(a[s] for s in a.keys() - b.keys()))
    assert found.only(1) == (len(b.keys() - a.keys()), sum(b[s] for s in b.keys() - a.keys()))


@pytest.mark.parametrize("seed", range(10))
def test_which_boxes_are_significant_against_brute_force(profile: Profile, seed: int) -> None:
    a, b = random_stacks(seed), random_stacks(seed + 100)
    found = difference(of(profile, a), of(profile, b))
    n, m = sum(a.values()), sum(b.values())
    chances: list[tuple[str, object, float]] = []
    for node, change in enumerate(found.tree.changes):
        parent = found.tree.changes[found.tree.parents[node]]
        x, y = change.baseline, change.candidate
        if node and x + y >= FEWEST and (x, y) != (parent.baseline, parent.candidate):
            chances.append(("node", node, fisher(x, y, n, m)))
    for function in found.functions:
        x, y = function.own.baseline, function.own.candidate
        if x + y >= FEWEST:
            chances.append(("function", function.name, fisher(x, y, n, m)))
    assert found.tested == len(chances)
    chances.sort(key=lambda entry: entry[2])
    passed = 0
    while passed < len(chances) and chances[passed][2] * (len(chances) - passed) < 0.05:
        passed += 1
    assert passed > 0
    expected = {entry[:2] for entry in chances[:passed]}
    for function in found.functions:
        assert function.own.significant == (("function", function.name) in expected)
    for node, change in enumerate(found.tree.changes[1:], 1):
        up = found.tree.parents[node]
        same = (change.baseline, change.candidate) == (found.tree.changes[up].baseline, found.tree.changes[up].candidate)
        assert change.significant == (found.tree.changes[up].significant if same else ("node", node) in expected)


@pytest.mark.parametrize("seed", range(5))
def test_with_itself_it_is_empty(profile: Profile, seed: int) -> None:
    same = of(profile, random_stacks(seed))
    found = difference(same, same)
    assert found.identical
    assert not found.differs
    assert {change.value for change in found.tree.changes} == {0.0}
    assert found.only(0) == found.only(1) == (0, 0)
    assert found.of(1) == found.of(-1) == ()


def test_more_samples_of_the_same_shares_are_no_difference(profile: Profile) -> None:
    """CPython #154032: a capture at twice the rate is not a program that is twice as slow."""
    once = random_stacks(1)
    found = difference(of(profile, once), of(profile, {stack: 3 * count for stack, count in once.items()}))
    assert found.identical
    assert not found.differs


def test_equal_builds_are_coloured_in_at_most_one_page_of_twenty(profile: Profile) -> None:
    generator = np.random.default_rng(11)
    paths = [tuple(f"f{depth}.{(leaf >> (4 - depth)) if depth < 4 else leaf} (a.so)" for depth in range(5)) for leaf in range(16)]
    shares = np.array([0.3, 0.2, 0.1, 0.1] + [0.3 / 12] * 12)
    false_alarms = 0
    for _ in range(300):
        sides = [
            of(profile, {path: int(k) for path, k in zip(paths, generator.multinomial(n, shares), strict=True) if k})
            for n in (400, 700)
        ]
        false_alarms += difference(*sides).differs
    assert false_alarms <= 15 + 2.6 * math.sqrt(300 * 0.05 * 0.95)


def test_what_grew_is_found_and_the_rest_is_grey(profile: Profile) -> None:
    stem: Stack = ("spin (w)", "dm_run (a.so)")
    old = {(*stem, "dm_dot (a.so)"): 700, (*stem, "dm_add (a.so)"): 290, (*stem, "gone (a.so)"): 40, stem: 4}
    new = {(*stem, "dm_dot (a.so)"): 620, (*stem, "dm_add (a.so)"): 300, (*stem, "copy_row (a.so)"): 90, stem: 6}
    found = difference(of(profile, old), of(profile, new))
    assert [f.name for f in found.of(1)] == ["copy_row (a.so)"]
    assert [f.name for f in found.of(-1)] == ["gone (a.so)"] or "gone (a.so)" in [f.name for f in found.of(-1)]
    assert found.only(0) == (1, 40)
    assert found.only(1) == (1, 90)
    by_name = {f.name: f.own for f in found.functions}
    assert not by_name["dm_add (a.so)"].significant
    assert by_name["copy_row (a.so)"].low < 90 / 1016 < by_name["copy_row (a.so)"].high


def test_a_function_of_the_system_names_its_caller(profile: Profile) -> None:
    old: dict[Stack, int] = {("spin (w)", "good (a.so)", "memcpy (libc.so.6)"): 50, ("spin (w)", "dm_dot (a.so)"): 950}
    new: dict[Stack, int] = {**old, ("spin (w)", "copy_row (a.so)", "[vdso]", "memcpy (libc.so.6)"): 150}
    found = difference(of(profile, old), of(profile, new))
    assert (found.functions[0].name, found.functions[0].caller) == ("memcpy (libc.so.6)", "copy_row (a.so)")


def test_the_library_under_test_may_be_called_otherwise(profile: Profile) -> None:
    old: dict[Stack, int] = {("spin (w)", f"dm_{i} (3fa1.so)"): 100 for i in range(5)}
    old["spin (w)", "exp (libm.so.6)"] = 1
    new: dict[Stack, int] = {("spin (w)", f"dm_{i} (slow.so)"): 100 for i in range(5)}
    found = difference(of(profile, old), of(profile, new))
    assert not found.differs
    assert found.notes == ("3fa1.so of the baseline and slow.so of the candidate are taken as one",)
    assert "dm_1 (slow.so)" in found.tree.names
    assert ("spin (w)", "dm_1 (lib.so)") in dict(relabelled(of(profile, new), {"slow.so": "lib.so"}).stacks)


def test_very_deep_stacks(profile: Profile) -> None:
    deep = tuple(f"f{i % 3} (a.so)" for i in range(20_000))
    found = difference(of(profile, {deep: 50, deep[:10]: 50}), of(profile, {deep: 10, deep[:10]: 90}))
    assert len(found.tree.names) == 20_001
    assert found.tree.changes[-1].direction == -1


def test_what_cannot_be_compared(profile: Profile) -> None:
    with pytest.raises(DataError, match=r"the candidate's profile has no samples"):
        difference(profile, of(profile, {}))
    for other in (replace(profile, engine="perf"), replace(profile, event="cycles")):
        with pytest.raises(DataError, match="their shares do not mean the same"):
            difference(profile, other)


def test_captures_in_turns_are_pooled(profile: Profile) -> None:
    calm = [of(profile, {("a",): 50, ("b",): 50}), of(profile, {("a",): 51, ("b",): 49})]
    wild = [of(profile, {("a",): 90, ("b",): 10}), of(profile, {("a",): 10, ("b",): 90})]
    first, second = pooled_pair(calm, calm)
    assert (first.samples, first.design_effect, second.design_effect) == (200, 1.0, 1.0)
    first, second = pooled_pair(calm, wild)
    assert first.design_effect == second.design_effect == pytest.approx(64.01)
    assert read_folded(write_folded(first), source="x") == first
    assert not difference(first, second).differs


def test_counts_are_not_samples(profile: Profile) -> None:
    exact = replace(profile, engine="callgrind", unit="instructions")
    with pytest.raises(DataError, match="counts of instructions, not samples"):
        difference(exact, exact)


def test_what_adds_most_is_a_function_not_a_group(profile: Profile) -> None:
    """Threads that wait spend most in the kernel: that is no place to look at."""
    old, new = known_pair(profile)
    waiting = replace(new, stacks=(*new.stacks, ((*STEM, "[kernel]"), 900)), samples=new.samples + 900)
    assert most_added(difference(old, new), 1.2) == "memcpy"
    assert most_added(difference(old, waiting), 2.0) == "memcpy"
    assert most_added(difference(old, old), 1.0) == ""
