"""What 1,000 bootstrap resamples over queries take: time, CPU and memory.

10 policies x 6 yardsticks x 20,000 queries, the same resamples for all of them.

    python benchmarks/bootstrap.py
"""

import argparse
import os
import resource
import time

import numpy as np

from label_platform.evaluation.bootstrap import (
    bootstrap_ratios,
    bootstrap_weights,
    standard_errors,
)


def main() -> None:
    """Draw parts, resample them, and print what it took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--policies", type=int, default=10)
    options.add_argument("--yardsticks", type=int, default=6)
    options.add_argument("--queries", type=int, default=20_000)
    options.add_argument("--resamples", type=int, default=1000)
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    rng = np.random.default_rng(0)
    shape = (chosen.yardsticks, chosen.queries, chosen.policies)
    denominator = rng.geometric(0.3, shape).astype(np.float64)
    numerator = rng.poisson(0.4 * denominator).astype(np.float64)
    before = _peak_mib()
    for number in range(chosen.repeats):
        started, cpu = time.perf_counter(), time.process_time()
        weights = bootstrap_weights(chosen.queries, chosen.resamples, seed=number)
        errors = [
            standard_errors(bootstrap_ratios(above, below, weights))
            for above, below in zip(numerator, denominator, strict=True)
        ]
        print(
            f"{chosen.resamples:,} resamples of {chosen.policies} policies x {chosen.yardsticks} "
            f"yardsticks x {chosen.queries:,} queries: {time.perf_counter() - started:.2f} s, "
            f"CPU {time.process_time() - cpu:.2f} s, peak memory {_peak_mib():.0f} MiB "
            f"({before:.0f} before), load {os.getloadavg()[0]:.1f}, "
            f"mean standard error {np.mean(errors):.5f}"
        )


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
