"""The call tree and the function shares, against a count by hand and against brute force."""

import random
from dataclasses import replace

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.tree import call_tree, function_shares


def test_tree_by_hand(profile: Profile) -> None:
    tree = call_tree(profile)
    assert list(zip(tree.names, tree.parents, tree.self_samples, tree.samples, strict=True)) == [
        ("all", -1, 0, 100),
        ("main (loop.py)", 0, 10, 100),
        ("[libffi]", 1, 0, 60),
        ("dm_dot_avx2 (libdualmem.so)", 2, 60, 60),
        ("fold (loop.py)", 1, 0, 20),
        ("fold (loop.py)", 4, 20, 20),
        ("write (libc.so.6)", 1, 0, 10),
        ("[kernel]", 6, 10, 10),
    ]


def test_siblings_stand_heaviest_first_then_by_name(profile: Profile) -> None:
    names = call_tree(replace(profile, stacks=((("a",), 1), (("b",), 3), (("c",), 1), (("d",), 2)), samples=7)).names
    assert names == ("all", "b", "d", "a", "c")


def test_recursion_counts_once(profile: Profile) -> None:
    shares = {share.name: (share.self_samples, share.samples) for share in function_shares(profile)}
    assert shares["fold (loop.py)"] == (20, 20)
    assert shares["main (loop.py)"] == (10, 100)
    assert [share.name for share in function_shares(profile)][:2] == ["dm_dot_avx2 (libdualmem.so)", "fold (loop.py)"]


def test_random_trees_against_brute_force(profile: Profile) -> None:
    chance = random.Random(11)
    for _ in range(50):
        stacks = {tuple(chance.choices("abcd", k=chance.randint(1, 6))): chance.randint(1, 5) for _ in range(30)}
        random_profile = replace(profile, stacks=tuple(sorted(stacks.items())), samples=sum(stacks.values()))
        tree = call_tree(random_profile)
        paths: list[tuple[str, ...]] = [()]
        for node in range(1, len(tree.names)):
            assert tree.parents[node] < node  # preorder
            paths.append((*paths[tree.parents[node]], tree.names[node]))
        assert len(set(paths)) == len(paths)
        for node, path in enumerate(paths):
            assert tree.samples[node] == sum(count for stack, count in stacks.items() if stack[: len(path)] == path)
            assert tree.self_samples[node] == stacks.get(path, 0)
        for share in function_shares(random_profile):
            assert share.samples == sum(count for stack, count in stacks.items() if share.name in stack)
            assert share.self_samples == sum(count for stack, count in stacks.items() if stack[-1] == share.name)


def test_chains_deeper_than_pythons_own_limit(profile: Profile) -> None:
    deep = replace(profile, stacks=((("f",) * 20_000, 1),), samples=1)
    assert len(call_tree(deep).names) == 20_001
