"""A workload that is described and not there, and a load scenario on it."""

from dualmem_cli.model.kernel import Parameter
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.workload import KeySpace, LoadScenario, Operation, Workload, WorkloadLibrary
from dualmem_cli.plan.load_scenario import parse_load_scenario

TEXT = """question = "q?"
workload = "store"
variants = ["dual"]

[data]
synthetic = "gaussian"
rows = 500
queries = 20

[params]
episodes = 100

[measure]
mode = "load"
rate = 1000
warmup_s = 2
steady_s = 10

[mix]
read = { share = 0.5, keys = "latest" }
lookup = { share = 0.3, keys = "zipfian" }
insert_episode = { share = 0.15 }
form = { share = 0.05 }

[budget]
p99 = "<= 5 ms"
"read.p99" = "<= 1 ms"
hit_rate = ">= 0.9"

[control]
variant = "single"
"""


def workload(variant: str) -> Workload:
    return Workload(
        name="store",
        variant=variant,
        summary="a store",
        needs_data=True,
        supported=True,
        reason="",
        parameters=(
            Parameter("episodes", 1000.0, 1.0, 1e6, True, "stored"),
            Parameter("recall", 1.0, 0.01, 1.0, False, "of a lookup"),
        ),
        metrics=(Metric("hit_rate", "1", Better.HIGHER, Scope.CASE, "of the cache"),),
        operations=(
            Operation("read", "read one", KeySpace.EPISODE, KeySpace.NONE),
            Operation("lookup", "find the nearest", KeySpace.QUERY, KeySpace.NONE),
            Operation("insert_episode", "add one", KeySpace.DATA, KeySpace.EPISODE),
            Operation("form", "form concepts", KeySpace.NONE, KeySpace.NONE),
        ),
    )


WORKLOAD = workload("dual")
LIBRARY = WorkloadLibrary("/lib.so", (1, 0), "lib", "1", "", (WORKLOAD, workload("single")))
SCENARIO: LoadScenario = parse_load_scenario(TEXT, path="f.toml", name="f")
POPULATIONS = {KeySpace.EPISODE: 100, KeySpace.QUERY: 20, KeySpace.DATA: 500}
