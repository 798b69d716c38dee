"""Measures every peer again and writes the records in this folder: `make peers`, then `.venv/bin/python docs/peers/measure.py`.

One bench for each family of kernels, with every peer that has one of them. What is written is the record as `dualmem report` reads it, a
file for each scenario and variant, less the table rows of kernels that were not measured. Prints the table of docs/explanation/peers.md.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILT = ROOT / "build" / "peers"

# what is named on the command line, scenarios, peers
BENCHES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("similarity", ("similarity", "similarity_1000"), ("openblas", "simsimd", "numpy")),
    ("lookup", ("concept_lookup",), ("openblas", "faiss", "numpy")),
    ("lookup-10k", ("concept_lookup_10k",), ("openblas", "faiss", "numpy")),
    ("formation", (str(HERE / "concept_formation.toml"),), ("fastcluster",)),
    ("ids", ("fan_by_id", "binding_update_by_id"), ("maps",)),
    ("activation", ("activation_sigmoid", "activation_fused"), ("compiled", "numpy", "scipy")),
    ("fan-effect-decay", ("fan_effect", "decay"), ("compiled", "numpy")),
)
OVER_PEER = "speedup over "


def bench(scenarios: tuple[str, ...], libraries: list[Path]) -> dict[str, Any]:
    """The record of one bench."""
    peers = [word for library in libraries for word in ("--peer", str(library))]
    with tempfile.TemporaryDirectory() as reports:
        command = [sys.executable, "-m", "dualmem_cli", "bench", *scenarios, *peers, "--reports", reports, "--quiet"]
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode != 0:
            print(f"{' '.join(scenarios)}: exit {done.returncode}", file=sys.stderr)
        (path,) = Path(reports).glob("*-bench.json")
        record: dict[str, Any] = json.loads(path.read_text())
    return record


def stripped(record: dict[str, Any]) -> dict[str, Any]:
    """Without the table rows that nothing was measured of, and without the paths of this machine."""
    measured = {(arm["kernel"], arm["variant"]) for run in record["cases"] for arm in run["arms"]}
    for build in record["builds"]:
        build["origin"] = Path(build["origin"]).name
        library = build["library"]
        for kept in (library, *build["links"]):
            kept["path"] = Path(kept["path"]).name
        library["kernels"] = [row for row in library["kernels"] if (row["name"], row["variant"]) in measured]
    for scenario in record["scenarios"]:
        scenario["path"] = Path(scenario["path"]).name
        if scenario["data"] is not None:
            scenario["data"] = {key: file_name(value) for key, value in scenario["data"].items()}
        scenario["source"] = re.sub(r'(?<=")/[^"]*(?=")', lambda match: file_name(match[0]), scenario["source"])
        scenario["digest"] = hashlib.sha256(scenario["source"].encode()).hexdigest()
    for facts in record["data"]:
        facts["source"] = file_name(facts["source"])
    return record


def file_name(value: Any) -> Any:
    """The name alone of a file that is given by an absolute path; anything else as it is."""
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value


def parts(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A record for each scenario and variant, named so; the machine's ceilings (docs/explanation/limits.md) are in none."""
    groups: dict[str, list[str]] = {}
    for finding in record["bench"]:
        scenario, variant = finding["case"].split("/")[:2]
        if not scenario.startswith("ceiling_"):
            groups.setdefault(f"{scenario}-{variant}", []).append(finding["case"])
    made = {}
    for name, cases in groups.items():
        part = json.loads(json.dumps(record))
        kept = [finding["case"] in cases for finding in part["bench"]]
        for key in ("bench", "cases"):  # in the same order
            part[key] = [entry for entry, wanted in zip(part[key], kept, strict=True) if wanted]
        made[name] = stripped(part)
    return made


def rows(record: dict[str, Any]) -> list[str]:
    """Of a Markdown table: how many times as fast as each peer, and the 95 % interval."""
    found = []
    for finding in record["bench"]:
        for quantity in finding["quantities"]:
            if quantity["name"].startswith(OVER_PEER):
                peer = quantity["name"].removeprefix(OVER_PEER)
                estimate = quantity["estimate"]
                interval = f"{estimate['value']:.3g} [{estimate['low']:.3g}, {estimate['high']:.3g}]"
                found.append(f"| `{finding['case']}` | {peer} | {interval} |")
        if finding["problem"]:
            found.append(f"| `{finding['case']}` | invalid | {finding['problem']} |")
    return found


def main() -> None:
    """All benches, or those named."""
    wanted = sys.argv[1:] or [name for name, _, _ in BENCHES]
    for name, scenarios, peers in BENCHES:
        libraries = [BUILT / f"{peer}.so" for peer in peers if (BUILT / f"{peer}.so").exists()]
        if name not in wanted or not libraries:
            continue
        record = bench(scenarios, libraries)
        for part, content in parts(record).items():
            (HERE / f"{part}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")
        print("\n".join(rows(record)), flush=True)


if __name__ == "__main__":
    main()
