"""A case once more with one thread, and the interval of a median."""

import math
import random
from dataclasses import replace
from statistics import median

import pytest
from golden.records import RECORDS

from dualmem_cli.errors import DualmemError
from dualmem_cli.measure.alone import case_alone, change_of_two
from dualmem_cli.model.kernel import Kernel, Parameter
from dualmem_cli.model.plan import Case, Draw, Task, WorkerArm, WorkerRequest
from dualmem_cli.model.samples import Failure, FailureKind, Samples, WorkerRun
from dualmem_cli.stats.interval import median_interval

CASE = Case("s", "k", "v", (("count", 3.0), ("threads", 4.0)), (), "")
REQUESTS = tuple(
    WorkerRequest(Task.SPIN, (f"/{name}.so",), (WorkerArm(0, "k", "v", prepared=f"/{name}"),), CASE.parameters, cpu=0)
    for name in ("old", "new")
)


def kernel(minimum: float) -> Kernel:
    known = next(iter(RECORDS["compare"]().builds[0].library.kernels))
    threads = Parameter("threads", 2.0, minimum, 8.0, True, "")
    return replace(known, parameters=(threads,))


def test_the_case_with_one_thread() -> None:
    found = case_alone(CASE, kernel(1.0))
    assert found is not None
    assert dict(found.parameters) == {"count": 3.0, "threads": 1.0}
    assert case_alone(found, kernel(1.0)) is None, "it has one already"
    assert case_alone(CASE, kernel(2.0)) is None, "its kernel takes no fewer"
    assert case_alone(CASE, None) is None


class Workers:
    """The candidate takes `ratio` times as long; the third worker is disturbed."""

    def __init__(self, ratio: float, failure: Failure | None = None) -> None:
        self.ratio, self.failure = ratio, failure
        self.requests: list[WorkerRequest] = []

    def measure(self, request: WorkerRequest, draw: Draw, *, timeout_s: float) -> WorkerRun:
        self.requests.append(request)
        ratio = 9.0 if len(self.requests) == 3 else self.ratio
        walls = tuple(round(1_000_000 * (ratio if digit == "1" else 1.0)) for digit in request.schedule)
        samples = Samples(request.schedule, (1, 1), walls, walls, (0,) * len(walls), ("", ""))
        return WorkerRun(draw, None, None, None if self.failure else samples, (), (), None, self.failure)


def test_both_builds_in_turns_in_each_worker() -> None:
    workers = Workers(1.25)
    found = change_of_two(workers, REQUESTS, cpus=(0, 1), limit_s=60.0, timeout_s=1.0)  # type: ignore[arg-type]
    assert found.value == pytest.approx(0.25)
    assert found.high < 0.26, "one disturbed worker does not widen it"
    first = workers.requests[0]
    assert first.libraries == ("/old.so", "/new.so")
    assert [(arm.library, arm.prepared) for arm in first.arms] == [(0, "/old"), (1, "/new")]
    assert first.task is Task.MEASURE
    assert {request.cpu for request in workers.requests} == {0, 1}


def test_it_takes_no_longer_than_asked() -> None:
    workers = Workers(1.0)
    assert change_of_two(workers, REQUESTS, cpus=(), limit_s=0.0, timeout_s=1.0).count == 6  # type: ignore[arg-type]


def test_a_failure_is_said() -> None:
    workers = Workers(1.0, Failure(FailureKind.REFUSED, "setup", 0, "threads: 2 at least"))
    with pytest.raises(DualmemError, match="with one thread: threads: 2 at least"):
        change_of_two(workers, REQUESTS, cpus=(), limit_s=1.0, timeout_s=1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "left_out"), [(6, 0), (9, 1), (12, 2), (16, 3)])
def test_the_interval_of_a_median_is_that_of_the_sign_test(count: int, left_out: int) -> None:
    binomtest = pytest.importorskip("scipy.stats").binom
    values = [float(value) for value in range(count)]
    random.Random(1).shuffle(values)
    found = median_interval(values, unit="x", method="m")
    assert (found.low, found.value, found.high) == (left_out, median(values), count - 1 - left_out)
    assert found.confidence == pytest.approx(1 - 2 * binomtest.cdf(left_out, count, 0.5))
    assert 2 * binomtest.cdf(left_out + 1, count, 0.5) > 0.05, "the narrowest"


def test_few_values_have_no_interval() -> None:
    found = median_interval([1.0, 2.0, 3.0], unit="x", method="m")
    assert (found.low, found.high) == (-math.inf, math.inf)
