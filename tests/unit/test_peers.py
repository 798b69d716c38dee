"""Which kernels of another library run beside a case, and why the others do not."""

from dataclasses import replace

from fabricated import CASE, KERNEL, PARAMETER, library

from dualmem_cli.model.plan import Role
from dualmem_cli.plan.peers import peer_arms


def test_kernels_of_the_same_name_run_beside() -> None:
    first = library(replace(KERNEL, variant="blas"), replace(KERNEL, name="other"))
    second = library(replace(KERNEL, variant="faiss"), replace(KERNEL, variant="plain"))
    arms, absent = peer_arms(CASE, [first, second])
    assert [(arm.role, arm.build, arm.kernel, arm.variant) for arm in arms] == [
        (Role.PEER, 1, "spin", "blas"),
        (Role.PEER, 2, "spin", "faiss"),
        (Role.PEER, 2, "spin", "plain"),
    ]
    assert absent == ()


def test_what_cannot_take_the_case_is_listed_with_its_reason() -> None:
    small = replace(KERNEL, variant="small", parameters=(replace(PARAMETER, maximum=10.0),))
    bare = replace(KERNEL, variant="bare", parameters=())
    elsewhere = replace(KERNEL, variant="neon", supported=False, reason="no NEON")
    arms, absent = peer_arms(CASE, [library(small, bare, elsewhere, name="p")])
    assert arms == ()
    assert [(each.case, each.reason) for each in absent] == [
        ("s/plain beside p small", "work 1000 is outside of 1 to 10"),
        ("s/plain beside p bare", "it does not declare the parameter work"),
        ("s/plain beside p neon", "not supported here: no NEON"),
    ]


def test_without_peers_there_is_nothing_beside() -> None:
    assert peer_arms(CASE, []) == ((), ())
