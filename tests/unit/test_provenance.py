"""The digest of the gate moves with what measures and decides, and with nothing else."""

from pathlib import Path

import pytest

import dualmem_cli
from dualmem_cli.measure import provenance


def test_it_moves_with_the_worker_and_with_every_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = tmp_path / "worker"
    worker.write_bytes(b"1")
    root = tmp_path / "dualmem_cli"
    real = Path(dualmem_cli.__file__).parent
    for name in provenance._DECIDING:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((real / name).read_bytes())
    plain = provenance.gate_digest(worker)
    monkeypatch.setattr(dualmem_cli, "__file__", str(root / "__init__.py"))
    assert provenance.gate_digest(worker) == plain, "where it lies does not matter"
    seen = {plain}
    for name in provenance._DECIDING:
        with (root / name).open("a") as file:
            file.write("\n")
        seen.add(provenance.gate_digest(worker))
    worker.write_bytes(b"2")
    seen.add(provenance.gate_digest(worker))
    assert len(seen) == len(provenance._DECIDING) + 2


# They refuse what does not fit, or make the trace, whose digest is compared.
BESIDE = ("judge/continuation.py", "plan/load_check.py", "plan/trace.py")


@pytest.mark.parametrize(
    ("sources", "modules"),
    [
        (("judge/sequential.py", "measure/case.py"), provenance._DECIDING),
        (("judge/sequential.py", "loads.py", "replayed.py", "judge/replay.py", "measure/playing.py"), provenance._REPLAYING),
    ],
)
def test_every_module_that_the_rule_rests_on_is_in_it(sources: tuple[str, ...], modules: tuple[str, ...]) -> None:
    """What these import of plan, judge and stats."""
    real = Path(dualmem_cli.__file__).parent
    for source in sources:
        for line in (real / source).read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] == ["from"] and words[1].startswith(("dualmem_cli.judge.", "dualmem_cli.plan.", "dualmem_cli.stats.")):
                assert words[1].removeprefix("dualmem_cli.").replace(".", "/") + ".py" in (*modules, *BESIDE)
