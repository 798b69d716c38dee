"""Libraries that crash, hang or lie, traces that are damaged and requests that are wrong, seen from the caller of a player."""

import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from trace_files import evenly, trace_bytes

Player = Any  # the class of conftest.py, which pytest does not let a test module import

MS = 1_000_000


def crashed(player: Player, operations: list[tuple[int, str, int]], *lines: str, threads: int = 1) -> Any:
    player.write(operations)
    request = player.request(f"threads {threads}", *lines, arms=["0 known bare", "0 known whole"])
    return player.say(request + f"play 1 0 {len(operations)} open 1 {threads}\nend\n")


# ---- libraries


@pytest.mark.parametrize(("operation", "key"), [("crash", 0), ("crash", 1), ("overflow", 0)])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_crash_names_arm_and_operation(player: Player, operation: str, key: int, threads: int) -> None:
    answer = crashed(player, [*evenly(20, 1000, "echo"), (30_000, operation, key), (10**12, "echo", 0)], threads=threads)
    assert answer.returncode == -signal.SIGSEGV
    expected = {"event": "crash", "signal": signal.SIGSEGV, "phase": "play", "arm": 1, "operation": operation, "number": 20}
    assert answer.events[-1] == expected
    assert not answer.all("played") and not answer.all("done")


def test_a_crash_in_setup_was_in_no_operation(player: Player) -> None:
    answer = crashed(player, evenly(20, 1000, "echo"), "seed 14")
    expected = {"event": "crash", "signal": signal.SIGSEGV, "phase": "setup", "arm": 0, "operation": None, "number": None}
    assert answer.returncode == -signal.SIGSEGV and answer.events[-1] == expected


def test_two_crashes_at_once_are_told_once(player: Player) -> None:
    for _ in range(10):
        answer = crashed(player, [(MS, "crash", 0)] * 8, threads=8)
        assert answer.returncode == -signal.SIGSEGV and len(answer.all("crash")) == 1


def test_a_library_that_calls_exit(player: Player) -> None:
    answer = crashed(player, [*evenly(3, 1000, "echo"), (9000, "exit", 0)])
    answer.refused("play", 1, "the library ended the process by calling exit()")


def started(player: Player, operations: list[tuple[int, str, int]], threads: int) -> subprocess.Popen[bytes]:
    """A player that has begun to play them."""
    player.write(operations)
    process = subprocess.Popen([player.executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin and process.stdout
    request = player.request(f"threads {threads}") + f"play 0 0 {len(operations)} open 1 {threads}\nend\n"
    process.stdin.write(request.encode())
    process.stdin.flush()
    while b'"play"' not in process.stdout.readline():
        pass
    return process


@pytest.mark.parametrize("threads", [1, 4, 8])
def test_a_hang_can_be_placed(player: Player, threads: int) -> None:
    """Ended with SIGTERM it names what has been under way for longest: number 2, although threads have begun others since."""
    later = [((60 + number) * MS, "hang", 0) for number in range(6)]
    operations = [(0, "echo", 0), (MS, "echo", 0), (2 * MS, "hang", 0), *later, (10**13, "echo", 0)]
    process = started(player, operations, threads)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.stdout and process.stdin
    answer = player.read(process.wait(timeout=30), process.stdout.read())
    process.stdout.close()
    process.stdin.close()
    assert answer.returncode == -signal.SIGTERM
    expected = {"event": "crash", "signal": signal.SIGTERM, "phase": "play", "arm": 0, "operation": "hang", "number": 2}
    assert answer.events[-1] == expected


def test_between_operations_nothing_is_under_way(player: Player) -> None:
    process = started(player, [(0, "echo", 0), (10**13, "echo", 0)], 2)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.stdout and process.stdin
    answer = player.read(process.wait(timeout=30), process.stdout.read())
    process.stdout.close()
    process.stdin.close()
    assert (answer.events[-1]["operation"], answer.events[-1]["number"]) == (None, None)


def test_a_player_dies_with_its_caller(player: Player) -> None:
    """In the middle of a play that would take hours: nothing reads standard input then."""
    player.write([(0, "echo", 0), (10**13, "echo", 0)])
    request = player.request() + "play 0 0 2 open 1 1\nend\n"
    caller = (
        "import subprocess, sys, time\n"
        "player = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "player.stdin.write(sys.argv[2].encode()); player.stdin.flush()\n"
        "while b'\"play\"' not in player.stdout.readline(): pass\n"
        "print(player.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", caller, player.executable, request], stdout=subprocess.PIPE)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def test_refusals_of_the_library(player: Player) -> None:
    player.write(evenly(1, 1, "echo"))
    error = player.say(player.request("seed 13")).refused("setup", 0, "the seed 13 brings bad luck; take another")
    assert error["status"] == 1
    error = player.say(player.request(arms=["0 known absent"])).refused("supported", 0, "needs a store of 4096 terabytes")
    assert error["status"] == 3


def test_no_workloads(player: Player) -> None:
    player.write(evenly(1, 1, "echo"))
    kernels = player.library.replace("workloads.so", "ok.so")
    player.say(player.request(libraries=[kernels])).refused("open", 0, "exports no dm_workload_library_get")
    player.say(player.request(libraries=["/no/where.so"])).refused("open", 0, "cannot load the library /no/where.so")
    same = player.request(arms=["0 known whole", "1 known whole"], libraries=[player.library, player.library])
    player.say(same).refused("open", 1, "the same file as another library of this request")


def test_names_that_nobody_knows(player: Player) -> None:
    player.write([(0, "spim", 0)])
    message = "the trace has operations spim, but the workload known/whole has not; it has spin, "
    player.say(player.request()).refused("open", 0, message)
    player.write([(0, "echo", 0)])
    message = "the library workloads has no workload known/hole; it has known/whole, "
    player.say(player.request(arms=["0 known hole"])).refused("open", 0, message)
    player.say(player.request("parameter stal 5")).refused(
        "setup", None, "no workload of this request declares the parameter stal"
    )
    player.say(player.request("parameter stall 0.5")).refused("setup", 0, "stall: 0.5 is not a whole number")


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        ("null_table", "dm_workload_library_get() returned NULL"),
        ("old_table", "write .size = sizeof(dm_workload_library)"),
        ("major", "built for version 2 of dm_workload.h, this player for version 1"),
        ("no_name", "the library has no name"),
        ("no_workloads", "the library has 0 workloads"),
        ("null_workload", "workload 1 of the table is NULL; correct workload_count"),
        ("no_size", "workload 0 states too small a size"),
        ("bad_name", "workload 0: its name or its variant is not a name"),
        ("twice", "workload wrong/one: it is twice in the table"),
        ("no_operate", "workload wrong/one: it has no operate"),
        ("no_operations", "workload wrong/one: it has no operations"),
        ("no_metrics", "workload wrong/one: it has no read_metrics, but declares metrics"),
        ("operation_size", "operation 1 states the size 0; write .size = sizeof(dm_operation) in each"),
        ("operation_name", "the name of operation 1 is not a name"),
        ("operation_twice", "it declares the operation a twice"),
        ("operation_key", "operation b: `key` and `inserts` must be a DM_KEY_..."),
        ("range", "parameter p: the default 2 is not a value of its range 0 to 1"),
        ("unit", "metric m needs a unit, a DM_BETTER_... and a DM_SCOPE_..."),
    ],
)
def test_tables_that_are_wrong(player: Player, defect: str, message: str) -> None:
    wrong = player.library.replace("workloads.so", "workloads_wrong.so")
    answer = player.say(f"dualmem-player 1\ntask describe\nlibrary {wrong}\nbegin\n", DEFECT=defect)
    answer.refused("open", None, message)


def test_the_wrong_table_is_right_without_a_defect(player: Player) -> None:
    wrong = player.library.replace("workloads.so", "workloads_wrong.so")
    assert player.say(f"dualmem-player 1\ntask describe\nlibrary {wrong}\nbegin\n").returncode == 0


# ---- traces (the rest is in native/tests/test_player.c)


def test_a_trace_that_is_damaged(player: Player) -> None:
    """Any byte behind the header: zlib's CRC is the player's."""
    whole = trace_bytes(evenly(20, 1000, "echo"), note='{"source": "ä"}'.encode())
    assert zlib.crc32(whole[64:]) == struct.unpack_from("<I", whole, 40)[0]
    player.trace.write_bytes(whole)
    assert player.say(player.request() + "end\n").returncode == 0
    for at in (64, 79, 80, 200, len(whole) - 1):
        player.trace.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
        player.say(player.request()).refused("open", None, f"{player.trace}: its CRC-32 is")
    player.trace.write_bytes(whole[:-1])
    player.say(player.request()).refused("open", None, "it was cut off or damaged")
    player.trace.unlink()
    player.say(player.request()).refused("open", None, f"cannot open {player.trace}: No such file")


# ---- requests


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends without the line `begin`"),
        ("hello\n", "the first line must be `dualmem-player 1`"),
        ("dualmem-player 1\nbegin", "ends without the line `begin`"),
        ("dualmem-player 1\nbegin\n", "no `task`"),
        ("dualmem-player 1\ntask play\nbegin\n", "no `library`"),
        ("dualmem-player 1\ntask play\nlibrary /x\nbegin\n", "no `arm`"),
        ("dualmem-player 1\ntask play\nlibrary /x\narm 0 a b\nbegin\n", "`task play` needs `trace`"),
        ("dualmem-player 1\ntask play\nlibrary /x\narm 1 a b\ntrace /t\nbegin\n", "`arm` 0 uses library 1 of 1"),
        ("dualmem-player 1\ntask play\nlibrary /x\narm 0 a b\ntrace /t\norder 1\nbegin\n", "`order` names arm 1 of 1"),
        ("dualmem-player 1\ntask measure\nbegin\n", "line 2: `task`: 'measure' is not one of describe, play"),
        ("dualmem-player 1\nlibrary x.so\n", "line 2: `library`: 'x.so' is not an absolute path"),
        ("dualmem-player 1\nseed -1\n", "line 2: `seed`: '-1' is not a whole number"),
        ("dualmem-player 1\nseed 1\nseed 1\n", "line 3: `seed`: given twice"),
        ("dualmem-player 1\nthreads 0\n", "line 2: `threads`: 0 is outside of 1 to 256"),
        ("dualmem-player 1\nthreads 99999999999999999999\n", "99999999999999999999 is outside of 1 to 256"),
        ("dualmem-player 1\ncpu\n", "line 2: `cpu`: names no processor"),
        ("dualmem-player 1\nplacement 63\n", "63 is not a multiple of 64"),
        ("dualmem-player 1\narm 0 a\n", "needs LIBRARY WORKLOAD VARIANT"),
        ("dualmem-player 1\norder 0 0\n", "arm 0 is there twice"),
        ("dualmem-player 1\nparameter a nan\n", "'nan' is not a decimal number"),
        ("dualmem-player 1\nplay 0 0 1 open 1 1\n", "line 2: `play` is not a key"),
        ("dualmem-player 1\nseed 1\0\n", "line 2 holds a zero byte"),
    ],
)
def test_a_malformed_set_up(player: Player, text: str, message: str) -> None:
    player.say(text).refused("request", None, message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("play 1 0 1 open 1 1", "line 7: `play`: 1 is outside of 0 to 0"),
        ("play 0 10 1 open 1 1", "10 is outside of 0 to 9"),
        ("play 0 9 2 open 1 1", "2 is outside of 1 to 1"),
        ("play 0 0 0 open 1 1", "0 is outside of 1 to 10"),
        ("play 0 0 1 ajar 1 1", "'ajar' is not one of open, closed"),
        ("play 0 0 1 open 0 1", "the speed 0 is outside of 1e-06 to 1e+06"),
        ("play 0 0 1 open -1 1", "the speed -1 is outside"),
        ("play 0 0 1 open 1 2", "2 is outside of 1 to 1"),
        ("play 0 0 1 open 1", "a number is missing"),
        ("play 0 0 1 open 1 1 1", "takes ARM FIRST COUNT open|closed SPEED THREADS and nothing more"),
        ("seed 1", "line 7: `seed` is not `play` or `end`"),
        ("end now", "`end`: takes no value"),
    ],
)
def test_a_malformed_play(player: Player, line: str, message: str) -> None:
    """What was played before it has been answered."""
    player.write(evenly(10, 1, "echo"))
    answer = player.say(player.request() + f"{line}\n")
    answer.refused("request", None, message)
    answer = player.say(player.request() + f"play 0 0 1 open 1 1\n{line}\n")
    assert answer.returncode == 2 and len(answer.all("played")) == 1


def test_a_caller_that_goes_away(player: Player) -> None:
    player.write(evenly(10, 1, "echo"))
    answer = player.say(player.request() + "play 0 0 1 open 1 1\n")
    answer.refused("request", None, "request: ends without the line `end`")
    assert len(answer.all("played")) == 1
    read_end, write_end = os.pipe()
    os.close(read_end)
    request = (player.request() + "play 0 0 1 open 1 1\n" * 3 + "end\n").encode()
    done = subprocess.run([player.executable], input=request, stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write_end)
    assert done.returncode == 3


def test_processors_and_files_that_are_not_there(player: Player) -> None:
    player.write(evenly(10, 1, "echo"))
    player.say(player.request("cpu 65536")).refused("open", None, "thread 0 cannot run on processor 65536")
    player.say(player.request("times /no/where")).refused("open", None, "cannot write /no/where: No such file or directory")
    full = player.say(player.request("times /dev/full") + "play 0 0 1 open 1 1\nend\n")
    full.refused("play", 0, "cannot write /dev/full: No space left on device")
