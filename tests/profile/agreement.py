"""Do py-spy and perf tell the same of one case? Both sample it in turns; the shares of the five hottest functions are compared.

    .venv/bin/python tests/profile/agreement.py SCENARIO... [--rounds 4] [--seconds 2]

py-spy samples a Python process that calls the kernel, perf the C worker; what only one of them has (the way from Python to C, the
kernel) is left out of both, and shares are of what is left. py-spy names inlined functions, perf's stacks do not: its samples get the
name of the innermost function from their addresses (profile/annotation.py). Each sampler's own captures tell how far they scatter
(design effect), and the intervals of the difference are at 99 %, for five functions together at about 95 %.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from dualmem_cli.cli import setting
from dualmem_cli.cli.profiling import chosen_case, target_for
from dualmem_cli.measure import builds as binaries
from dualmem_cli.profile.annotation import annotate
from dualmem_cli.profile.assembly import functions_of
from dualmem_cli.profile.engines import ENGINES
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.frames import Kind, kind_of, normalise, split_place
from dualmem_cli.profile.shares import design_effect, difference_interval
from dualmem_cli.profile.target import Target
from dualmem_cli.store.builds import digest_of, digest_of_links

TOP = 5
# difference_interval is of 95 %: of five differences all are inside of it together in 77 % of the runs only. Wider by the ratio of the
# normal quantiles for 99 % and 95 %, which is what design effect divides the samples by, squared.
WIDER = (2.5758 / 1.9600) ** 2


def target(name: str, seconds: float) -> tuple[Target, Path]:
    """The scenario's first case on the first link of the tree's build."""
    worker = setting.runner()
    found = binaries.resolve("", start=Path.cwd())
    library = worker.describe(str(found.links[0]))
    (scenario,) = setting.read_scenarios(setting.scenario_paths([name]))
    case = chosen_case(scenario, library, wanted="")
    digest = digest_of_links([digest_of(found.links[0])])
    return target_for(scenario, case, library=library, digest=digest, link=found.links[0], seconds=seconds), found.links[0]


def by_address(profile: Profile, functions: Collection[str]) -> Counter[str]:
    """Own samples of the library's functions by the innermost one, as debug information has it."""
    found: Counter[str] = Counter()
    for function in annotate(profile, (), also=functions).functions:
        for instruction in function.instructions:
            if function.place != "dualmem-worker" and function.samples:
                found[instruction.function or function.name] += instruction.samples
    return +found


def by_stack(profile: Profile) -> Counter[str]:
    """Own samples by function, of C code alone: the worker's loop is measure/loop.py's on the other side."""
    found: Counter[str] = Counter()
    for stack, count in profile.stacks:
        name, place = split_place(stack[-1])
        if kind_of(stack[-1]) is Kind.NATIVE and place != "dualmem-worker":
            found[name] += count
    return found


def compare(name: str, *, rounds: int, seconds: float, rate: int) -> bool:
    """Print the table of one scenario. Whether all five agree."""
    wanted, link = target(name, seconds)
    named = {split_place(normalise(symbol.name, ""))[0] for symbol in functions_of(link)}
    captures: dict[str, list[Counter[str]]] = {engine.name: [] for engine in ENGINES}
    for number in range(rounds):
        for engine in ENGINES if number % 2 == 0 else reversed(ENGINES):
            with tempfile.TemporaryDirectory() as scratch:
                profile = engine.capture(wanted, rate=rate, directory=Path(scratch))
                captures[engine.name].append(by_address(profile, named) if profile.leaves else by_stack(profile))
    effect = design_effect(list(captures.values()))
    sums = {engine: sum(found, Counter()) for engine, found in captures.items()}
    n, m = (sums[engine].total() for engine in ("pyspy", "perf"))
    top = [function for function, _ in (sums["pyspy"] + sums["perf"]).most_common(TOP)]
    print(f"{wanted.title}: py-spy {n:,} samples, perf {m:,}, design effect {effect:.2f}")
    agree = True
    for function in top:
        counts = (sums["pyspy"][function], sums["perf"][function])
        low, high = difference_interval(counts, (n, m), design_effect=effect * WIDER)
        inside = low <= 0 <= high
        agree = agree and inside
        print(
            f"  {function:28} py-spy {100 * counts[0] / n:5.1f} %  perf {100 * counts[1] / m:5.1f} %  "
            f"difference {100 * low:+5.1f} to {100 * high:+5.1f}  {'agree' if inside else 'DIFFER'}"
        )
    return agree


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", nargs="+")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rate", type=int, default=999)
    asked = parser.parse_args()
    found = [compare(name, rounds=asked.rounds, seconds=asked.seconds, rate=asked.rate) for name in asked.scenario]
    return 0 if all(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
