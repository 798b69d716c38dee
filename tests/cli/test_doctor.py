"""`dualmem doctor`: what it looked at, in words and as JSON; a problem is no failure."""

from command_line import Dualmem


def test_every_check_says_what_is_and_a_problem_what_to_do(dualmem: Dualmem) -> None:
    told = dualmem("doctor", "--json")
    assert told.status == 0
    checks = {check["name"]: check for check in told.json}
    assert {
        "machine",
        "system",
        "processors",
        "clock",
        "load",
        "library",
        "pages",
        "pyspy",
        "perf",
        "callgrind",
        "counters",
        "memory",
        "objcopy",
        "objdump",
        "addr2line",
        "fleet",
        "cache",
    } <= set(checks)
    for check in checks.values():
        assert check["detail"]
        assert bool(check["remedy"]) == (check["ok"] is False), check
    shown = dualmem("doctor")
    assert (shown.status, shown.err) == (0, "")
    for name in checks:
        assert f"  {name} " in shown.out


def test_pages_are_tried_and_not_assumed(dualmem: Dualmem) -> None:
    (found,) = (check for check in dualmem("doctor", "--json").json if check["name"] == "pages")
    assert (found["ok"], found["detail"]) == (True, "two builds exchange theirs halfway through a worker")
