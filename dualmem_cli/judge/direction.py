"""Which direction of a number is better."""

from dualmem_cli.judge.load import SERVICE
from dualmem_cli.judge.overhead import AT_RATE, OVERHEAD
from dualmem_cli.judge.saturation import SATURATION
from dualmem_cli.model.kernel import Library
from dualmem_cli.model.load import LoadRun
from dualmem_cli.model.metric import Better, Metric
from dualmem_cli.model.plan import Case

_LESS = {"time", "p50", "p95", "p99", "p99.9", "max", OVERHEAD, AT_RATE, "errors", "drift", "rss", "rss_growth"}
_MORE = {"achieved", SATURATION, "rate"}


def declared(library: Library | None, case: Case, name: str) -> Metric | None:
    """The metric of that name, if the case's kernel declares one."""
    kernel = library.kernel(case.kernel, case.variant) if library else None
    return next((metric for metric in kernel.metrics if metric.name == name), None) if kernel else None


def split(run: LoadRun, quantity: str) -> tuple[str, str]:
    """("lookup", "service.p99") for a quantity of one kind of a load's operations, ("", quantity) for one of all together."""
    kind = next((name for name in run.kinds if quantity.startswith(f"{name}.")), "")
    return kind, quantity.removeprefix(f"{kind}.") if kind else quantity


def better_of_load(run: LoadRun, quantity: str) -> Better:
    """Of what a load measures, and of the metrics that its workload declares."""
    kind, rest = split(run, quantity)
    if rest.removeprefix(f"{SERVICE}.") in _LESS:
        return Better.LOWER
    if rest in _MORE:
        return Better.HIGHER
    metric = next((metric for metric in run.workloads[0].metrics if metric.name == rest and not kind), None)
    return metric.better if metric else Better.NEITHER
