"""What a scenario needs, what a machine offers, and what is asked for when not all wishes can be had."""

from dataclasses import replace

import pytest
from fabricated import MACHINE

from dualmem_cli.errors import ScenarioError
from dualmem_cli.model.scenario import Needs
from dualmem_cli.plan.needs import lacking, lacking_everywhere, offer_of, required, satisfies, wanted_of
from dualmem_cli.plan.scenario import parse_scenario

PLAIN = 'question = "q"\nkernel = "k"\n'
GIB = 1 << 30


def scenario(text: str):  # type: ignore[no-untyped-def]
    return parse_scenario(PLAIN + text, path="s.toml", name="s")


def offer(*isa: str, cores: int = 2, nodes: int = 1, memory: int = 16 * GIB) -> dict[str, float]:
    machine = replace(MACHINE, architecture="x86_64", isa=isa, numa_nodes=nodes, memory_bytes=memory)
    return offer_of(machine, cores=cores)


OLD = offer("sse4.2", "avx2", "fma")
NEW = offer("sse4.2", "avx2", "fma", "avx512f", "avx512bw", "avx512vl")
BIG = offer("sse4.2", "avx2", "fma", cores=64, nodes=2, memory=512 * GIB)


def test_needs_are_read_and_mistakes_are_named() -> None:
    found = scenario('[needs]\nisa = ["avx512f"]\ncores = 4\nnuma_nodes = 2\nmemory = "1.5 GiB"').needs
    assert found == Needs(("avx512f",), 4, 2, 3 * GIB // 2)
    assert scenario("").needs == Needs()
    for text, said in {
        '[needs]\nisa = ["avx1024"]': 's.toml:4: [needs] "isa"',
        "[needs]\ncors = 4": 's.toml:4: [needs] "cors" is not a key here; did you mean "cores"?',
        '[needs]\nmemory = "64 GB"': 's.toml:4: [needs] "memory": "64 GB" is not a size; write a number and a unit',
        "[needs]\nmemory = 64": 's.toml:4: [needs] "memory"',
        "[needs]\nnuma_nodes = -1": 's.toml:4: [needs] "numa_nodes"',
    }.items():
        with pytest.raises(ScenarioError) as error:
            scenario(text)
        assert said in str(error.value)


def test_what_is_required_must_be_there_to_the_last_of_it() -> None:
    needs = required(Needs(("avx2",), cores=64, numa_nodes=2, memory_bytes=512 * GIB))
    assert satisfies(BIG, needs)
    for less in (offer("avx2", cores=63, nodes=2, memory=512 * GIB), offer("fma", cores=64, nodes=2, memory=512 * GIB), OLD):
        assert not satisfies(less, needs)
    assert lacking(OLD, needs) == "64 cores, 2 NUMA nodes, 512 GiB of memory"
    assert lacking(BIG, needs) == ""
    assert required(Needs()) == {}


@pytest.mark.parametrize(
    ("variants", "offers", "best"),
    [
        (["avx2", "avx512", "neon"], [OLD, NEW], NEW),
        (["exact_int8_avx2", "exact_int8_avx512vnni"], [OLD, NEW], OLD),
        (["plain", "auto"], [OLD], OLD),
        (["neon"], [OLD], OLD),
    ],
)
def test_of_several_machines_the_one_that_can_do_most_of_it(
    variants: list[str], offers: list[dict[str, float]], best: dict[str, float]
) -> None:
    """Variants that nobody can run are no reason to run nothing: they are listed as absent, as on one machine."""
    wanted = wanted_of(scenario(f"variants = {variants}"), offers, base={"x86_64": 1.0})
    assert satisfies(best, wanted)
    assert [satisfies(offer, wanted) for offer in offers if offer is not best] == [False] * (len(offers) - 1) or best is OLD


def test_memory_for_the_data_and_cores_for_the_threads_are_wished_for() -> None:
    data = (
        'variants = ["x"]\n[data]\nsynthetic = "gaussian"\nrows = 20_000_000\nqueries = 1\ndim = 768\n[params]\nthreads = [1, 8]'
    )
    assert satisfies(BIG, wanted_of(scenario(data), [OLD, BIG], base={}))
    assert not satisfies(OLD, wanted_of(scenario(data), [OLD, BIG], base={}))
    assert wanted_of(scenario(data), [OLD], base={"machine": 1.0}) == {"machine": 1.0}, "a wish that nobody fulfils is dropped"
    few = "[params]\nthreads = 2\n[needs]\ncores = 4"
    assert wanted_of(scenario(few), [BIG], base={})["cores"] == 4, "a wish does not lessen what is required"


def test_the_words_are_of_the_machine_that_lacks_least() -> None:
    wanted = wanted_of(scenario("[needs]\nisa = ['neon']\ncores = 64\nnuma_nodes = 2"), [OLD, BIG], base={})
    assert lacking_everywhere([OLD, BIG], wanted) == "neon"
    assert lacking_everywhere([], wanted) == "neon, 64 cores, 2 NUMA nodes"
