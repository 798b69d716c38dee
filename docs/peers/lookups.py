"""Recall against time, beside peers: `make peers`, then `.venv/bin/python docs/peers/lookups.py`.

One bench for each set of vectors, with every library that offers `concept_lookup_at_recall`: each builds its own index, looks for the least
effort that reaches the recall asked for on rows held out of the data (never on the queries), and is measured in the same workers, in turn.
Writes the records and their drawings into this folder and prints the tables of docs/explanation/lookup.md.

    lookups.py                                  1k, 10k, real-2k: about half an hour
    lookups.py 100k                             twenty minutes
    lookups.py builds-10k                       what one and two threads take to build (of any set: builds-1k, builds-real-10k ...)
    lookups.py real-10k --data FILE --queries FILE     vectors of your own: .npy, .fvecs or .hdf5
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from measure import BUILT, HERE, OVER_PEER, ROOT, bench, stripped

from dualmem_cli.report.layout import Figure, FigureKind, frontier_name
from dualmem_cli.report.plots import save_png
from dualmem_cli.store import records

PEERS = (
    "hnswlib", "usearch_f16", "usearch_f32", "usearch_i8", "faiss_hnsw32", "faiss_hnsw32_sq8", "faiss_ivf_sq8", "faiss_pca64_ivf_sq8",
    "openblas",
)  # fmt: skip
AT_100K = ("hnswlib", "usearch_f16", "faiss_pca64_ivf_sq8")
CLUSTERED = 'synthetic = "clustered"\nrows = {rows}\nqueries = 1000\ndim = 768\nclusters = 100\nintrinsic = 32\nsimilarity = 0.7'
BUILDS = "builds-"
SHIPPED = ROOT / "scenarios" / "data"
SCENARIO = """question = "What does a recall cost, beside peers?"
kernel = "concept_lookup_at_recall"
variants = {variants}

[data]
{data}

[params]
k = 10
concepts = {concepts}
recall = {recalls}

[measure]
mode = "latency"
operations = 1000
passes = 3
workers = {workers}
timeout_s = 1800
"""


def scenario(name: str, *, data: str, queries: str) -> str:
    """The scenario file of one set of vectors."""
    of_file = f'file = "{data}"\nqueries_file = "{queries}"\nqueries = 1000'
    shipped = f'file = "{SHIPPED}/wordnet-2k-768.f16.npy"\nqueries_file = "{SHIPPED}/wordnet-queries-200-768.f16.npy"'
    recalls, few = "[0.9, 0.95, 0.99]", "[0.95, 0.99]"
    both = '["auto", "graph"]'
    builds = name.startswith(BUILDS)
    match name.removeprefix(BUILDS):
        case "1k":
            source, concepts = CLUSTERED.format(rows=1000), 1000
        case "10k":
            source, concepts = CLUSTERED.format(rows=10_000), 10_000
        case "100k":
            source, concepts, recalls, both = CLUSTERED.format(rows=100_000), 100_000, few, '["auto"]'
        case "real-2k":
            source, concepts = shipped, 2000
        case _:
            source, concepts = of_file, 10_000
    if builds:
        return SCENARIO.format(variants=both, data=source, concepts=concepts, recalls="[0.95]\nthreads = [1, 2]", workers=2)
    return SCENARIO.format(variants=both, data=source, concepts=concepts, recalls=recalls, workers=4 if name != "100k" else 2)


def build_table(record: dict[str, Any]) -> list[str]:
    """A Markdown table: what each library takes to build with one thread and with two, and what the second is worth."""
    took: dict[str, dict[int, tuple[float, float, float]]] = {}
    for line in record["frontier"]:
        threads = int(line["series"].rpartition("threads ")[2])
        for point in line["points"]:
            metrics = dict(point["metrics"])
            if metrics.get("build_seconds") is not None:
                figures = metrics["build_seconds"], metrics["build_elapsed_seconds"], point["recall"]
                took.setdefault(line["variant"], {})[threads] = figures
    lines = [
        "| by | one thread: processor s | elapsed s | two threads: processor s | elapsed s | times as fast | recall of both |",
        "|" + "---|" * 7,
    ]
    for variant, by_threads in took.items():
        one, two = by_threads[1], by_threads[2]
        times = " | ".join(f"{value:.3g}" for value in (*one[:2], *two[:2]))
        lines.append(f"| {variant} | {times} | {one[1] / two[1]:.2f} | {one[2]:.4f}, {two[2]:.4f} |")
    return lines


def table(record: dict[str, Any]) -> list[str]:
    """A Markdown table: what each arm needs at 0.95 and at 0.99."""
    names = {finding["case"]: finding["quantities"] for finding in record["bench"]}
    lines = [
        "| asked | by | recall | P50 us | P99 us | P99.9 us | fastest P50, P99 | a second | build s | bytes | x as fast: auto |",
        "|" + "---|" * 11,
    ]
    for asked in ("recall 0.95", "recall 0.99"):
        for line in record["frontier"]:
            for point in line["points"]:
                if point["effort"] != asked:
                    continue
                metrics = dict(point["metrics"])
                times = [point[key] for key in ("p50_ns", "p99_ns", "p999_ns", "p50_fastest_ns", "p99_fastest_ns")]
                us = ["" if value is None else f"{value / 1e3:.3g}" for value in times]
                rate = "" if point["per_second"] is None else f"{point['per_second']:,.0f}"
                build, size = (metrics.get(name) for name in ("build_seconds", "index_bytes_per_concept"))
                built = "" if build is None else f"{build:.3g}"
                kept = "" if size is None else f"{size:,.0f}"
                ratio = "" if line["build"] == 0 else over(names[point["case"]], line["variant"])
                cells = (
                    asked[7:],
                    line["variant"],
                    f"{point['recall']:.4f}",
                    *us[:3],
                    f"{us[3]}, {us[4]}",
                    rate,
                    built,
                    kept,
                    ratio,
                )
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def over(quantities: list[dict[str, Any]], variant: str) -> str:
    """How many times as fast the subject is as that peer, interleaved."""
    for quantity in quantities:
        if quantity["name"] == f"{OVER_PEER}{variant}":
            estimate = quantity["estimate"]
            return f"{estimate['value']:.3g} [{estimate['low']:.3g}, {estimate['high']:.3g}] x"
    return ""


def draw(path: Path) -> None:
    """Both pictures of a record, beside it."""
    record = records.load(path)
    for name in dict.fromkeys(frontier_name(found.scenario, found.series) for found in record.frontier):
        for kind in (FigureKind.RECALL_RATE, FigureKind.RECALL_LATENCY):
            save_png(record, Figure(name, kind, "", ""), path=path.with_name(f"{path.stem}-{kind.value}.png"), dots_per_inch=150)


def main() -> None:
    """The sets that are named, or the three that need nothing but the repository."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=["1k", "10k", "real-2k"])
    parser.add_argument("--data", default="", help="vectors of any other set")
    parser.add_argument("--queries", default="", help="its queries")
    parser.add_argument("--into", type=Path, default=HERE, help="folder of the records")
    asked = parser.parse_args()
    for name in asked.sets:
        peers = [BUILT / f"{peer}.so" for peer in (AT_100K if name.endswith("100k") else PEERS)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.toml"
            path.write_text(scenario(name, data=asked.data, queries=asked.queries))
            record = stripped(bench((str(path),), [peer for peer in peers if peer.exists()]))
        kept = asked.into / f"lookups-{name}.json"
        kept.write_text(json.dumps(record, separators=(",", ":")) + "\n")
        print(f"## {name}\n")
        if name.startswith(BUILDS):
            print("\n".join(build_table(record)), flush=True)
        else:
            draw(kept)
            print("\n".join(table(record)), flush=True)


if __name__ == "__main__":
    main()
