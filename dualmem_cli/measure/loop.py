"""Runs one kernel inside of this Python process for a while: a target for py-spy, which shows its C frames through cffi.

    python -m dualmem_cli.measure.loop LIBRARY KERNEL VARIANT SECONDS
        [--data PATH --queries PATH --prepared PATH --parameter NAME=VALUE ... --seed N]

The last line of standard output is {"operations": n, "seconds": s}: never a measurement, since a profiler slows its target.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dualmem_cli.errors import DualmemError
from dualmem_cli.measure.host import Host, LoadedKernel

# Short enough that the loop ends on time, long enough that Python itself is below 0.1 % of the samples.
_SLICE_S = 0.05


def parameter(text: str) -> tuple[str, float]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: {value!r} is not a number") from None


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exits with status 2 and one line when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m dualmem_cli.measure.loop", description=__doc__.partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("kernel")
    parser.add_argument("variant")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--data", type=Path, help="matrix file")
    parser.add_argument("--queries", type=Path, help="matrix file")
    parser.add_argument("--prepared", type=Path, help="what the kernel's prepare wrote; without it it is made here")
    parser.add_argument("--parameter", type=parameter, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


def spin(kernel: LoadedKernel, *, seconds: float) -> tuple[int, float]:
    """Run for about `seconds` (one operation at least); return operations done and seconds used."""
    operations, count = 0, 1
    begin = time.perf_counter()
    while True:
        start = time.perf_counter()
        kernel.run(count)
        now = time.perf_counter()
        operations += count
        left = seconds - (now - begin)
        if left <= 0:
            return operations, now - begin
        # At most 8-fold at once: the first slices are too short to be trusted.
        wanted = count * min(left, _SLICE_S) / max(now - start, 1e-9)
        count = max(1, int(min(wanted, count * 8)))


def main(argv: Sequence[str]) -> int:
    """Run; return the exit status."""
    options = arguments(argv)
    try:
        with (
            Host.load(options.library) as host,
            host.kernel(
                options.kernel,
                options.variant,
                parameters=dict(options.parameter),
                data=options.data,
                queries=options.queries,
                seed=options.seed,
                prepared=options.prepared,
            ) as kernel,
        ):
            operations, seconds = spin(kernel, seconds=options.seconds)
    except DualmemError as error:
        print(error, file=sys.stderr)
        return int(error.status)
    print(json.dumps({"operations": operations, "seconds": seconds}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
