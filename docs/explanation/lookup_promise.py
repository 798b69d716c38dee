"""How often a plan finds less than it was asked for, with queries outside of its data.

    python docs/explanation/lookup_promise.py --data FILE.npy --queries FILE.npy [--rows N ...] [--recall R] [--seeds N]
        [--method auto|graph|lists] [--norms SIGMA]

For each number of rows and each seed: that many rows of the file, drawn by the seed, are indexed by the planner, and the rows of the
file that were not drawn (at most 4,000) ask, beside the queries of the other file. The truth is float64. Prints what the plans chose and
found. By cosine, or, with norms from a log-normal distribution, by inner product.
"""

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native import LookupMethod, Similarity, Store

K = 10
ASKING = 4000


def kth(rows: NDArray[np.float64], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """The product of each query with its k-th nearest row."""
    products: list[NDArray[np.float64]] = [
        np.partition(block @ rows.T, -K, axis=1)[:, -K] for block in np.array_split(queries, 1 + len(queries) // 500)
    ]
    found: NDArray[np.float64] = np.concatenate(products)
    return found


def unit(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of length 1, in float64."""
    wide = values.astype(np.float64)
    made: NDArray[np.float64] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return made


def main() -> None:
    """A line for each plan, and a summary for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 2000, 10_000])
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--method", choices=[method.name.lower() for method in LookupMethod], default="auto")
    parser.add_argument("--norms", type=float, default=0.0, metavar="SIGMA")
    asked = parser.parse_args()
    similarity = Similarity.INNER_PRODUCT if asked.norms > 0 else Similarity.COSINE
    data, own = np.load(asked.data).astype(np.float32), np.load(asked.queries).astype(np.float32)
    data = (unit(data) * np.random.default_rng(1000).lognormal(sigma=asked.norms, size=(len(data), 1))).astype(np.float32)
    wide = unit(data) if similarity is Similarity.COSINE else data.astype(np.float64)
    own_wide = unit(own) if similarity is Similarity.COSINE else own.astype(np.float64)
    method = LookupMethod[asked.method.upper()]
    for count in asked.rows:
        told: list[tuple[str, int, float, float, float, float, float]] = []
        for seed in range(asked.seeds):
            order = np.random.default_rng(seed).permutation(len(data))
            indexed, asking = order[:count], order[count : count + ASKING]
            with Store(data.shape[1], concepts=count, episodes=0) as store:
                store.add_concepts(range(count), data[indexed])
                begin = time.process_time()
                with store.index(method=method, similarity=similarity, recall=asked.recall, k=K, seed=seed) as index:
                    took = time.process_time() - begin
                    plan = index.plan
                    found = []
                    for queries, exact in ((data[asking], wide[asking]), (own, own_wide)):
                        truth = kth(wide[indexed], exact)[:, None]
                        similarities = index.search(queries, k=K).similarities
                        found.append(float((similarities >= truth - 1e-12 * np.abs(truth)).mean()))
            told.append((plan.method.name, plan.effort, plan.recall, plan.recall_low, found[0], found[1], took))
            name, effort, recall, low = told[-1][:4]
            print(
                f"{count} seed {seed}: {name} {effort}, held out {recall:.4f} (at least {low:.4f}); rows {found[0]:.4f}, "
                f"queries {found[1]:.4f}; {took:.2f} s",
                flush=True,
            )
        chosen = [line for line in told if line[0] != "EXACT"]
        rows, queries = sorted(line[4] for line in chosen), sorted(line[5] for line in chosen)
        less = [sum(recall < asked.recall for recall in found) for found in (rows, queries)]
        efforts = np.median([line[1] for line in chosen]) if chosen else 0
        print(
            f"{count} rows, {asked.recall} asked: {len(chosen)} of {len(told)} plans approximate, median effort {efforts:g}; "
            f"less found by {less[0]} with rows (least {rows[:3]}, mean {np.mean(rows):.4f}), "
            f"by {less[1]} with queries (least {queries[:3]}, mean {np.mean(queries):.4f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
