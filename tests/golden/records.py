"""The records that every renderer is shown. No number in them was measured."""

from dataclasses import replace

from golden.bench import bench_record
from golden.compare import compare_record
from golden.load import load_record
from golden.parts import (
    MACHINE,
    block_worker,
    build,
    estimate,
    failed_worker,
    kernel,
    run_of,
    scenario,
    time,
)

from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import Absent, DataFacts, Record
from dualmem_cli.model.samples import (
    FailureKind,
)
from dualmem_cli.model.verdict import (
    BenchFinding,
    Quantity,
)


def interrupted_record() -> Record:
    """A bench that was stopped after its second case."""
    whole = bench_record()
    return replace(
        whole,
        interrupted=True,
        seconds=4.2,
        cases=whole.cases[:2],
        bench=whole.bench[:2],
        scenarios=whole.scenarios[:1],
        data=(),
        absent=tuple(Absent(finding.case, "interrupted before it was measured") for finding in whole.bench[2:]),
        cautions=(Caution(CautionKind.INTERRUPTED, "stopped by Ctrl-C after 2 of 9 cases", "run the rest by name"),),
    )


HOSTILE = (
    "</script><script>alert(1)</script>",
    "a|b `c` **d** <details> | --- |",
    "\x1b[31mred\x1b[0m\x07",
    "\u202eevil\u202c\u200b",
    "[bold red]rich[/bold red]",
    '"quoted" & \'single\' <b title="x">',
    "line one\nline two\r\ttab",
    "\udcff lone",
)


def hostile_record() -> Record:
    """Every string that a library, a scenario or a path can supply tries to be markup in some dialect."""
    text = " ".join(HOSTILE)
    nasty = scenario(HOSTILE[0], text, parameters=((HOSTILE[1], (1.0,)),), variants=(HOSTILE[2],), source="\n".join(HOSTILE))
    nasty = replace(nasty, path=HOSTILE[3])
    case = Case(nasty.name, HOSTILE[4], HOSTILE[2], ((HOSTILE[1], 1.0),), (HOSTILE[1],), HOSTILE[5])
    arms = (Arm(Role.SUBJECT, 0, HOSTILE[4], HOSTILE[2]),)
    run = run_of(case, arms, tuple(block_worker(31, per_op=(10.0,), index=i, builds=1, blocks=4) for i in range(2)))
    broken = replace(case, scenario=nasty.name, variant=HOSTILE[3])
    kernels = (kernel(HOSTILE[4], HOSTILE[2], text),)
    made = build(digest="deadbeef", origin=HOSTILE[5], kernels=kernels, revision=HOSTILE[1], layouts=(HOSTILE[6],))
    made = replace(made, library=replace(made.library, name=HOSTILE[0], compiler=HOSTILE[5], flags=text))
    return replace(
        bench_record(),
        machine=replace(MACHINE, cpu=HOSTILE[5], isa=(HOSTILE[2],)),
        tool=f"0.1.0 {HOSTILE[4]}",
        builds=(made,),
        scenarios=(nasty,),
        data=(DataFacts(HOSTILE[1], HOSTILE[0], 1, 1, 1, None, None),),
        cases=(run, replace(run, case=broken, workers=(failed_worker(FailureKind.REFUSED, "setup", text),))),
        absent=(Absent(HOSTILE[0], text),),
        bench=(
            BenchFinding(case.id, (time(10.0, 0.01, limit=9.0), Quantity(HOSTILE[1], estimate(1.0, 0.0, HOSTILE[5]))), ""),
            BenchFinding(broken.id, (), text),
        ),
        cautions=(Caution(CautionKind.UNSUPPORTED, text, text, case.id),),
    )


RECORDS = {
    "load": load_record,
    "bench": bench_record,
    "compare": compare_record,
    "interrupted": interrupted_record,
    "hostile": hostile_record,
}
