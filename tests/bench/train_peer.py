"""scikit-learn on the rows that `bench_train` wrote, for `cargo xtask bench train` to compare with.

    train_peer.py FILE CLUSTERS COMPONENTS ROUNDS    prints one JSON object: median seconds and results

All cores of the machine are scikit-learn's, as they are ours. One initialisation each (its default), its default
tolerances: what a person gets who does not tune.
"""

import json
import statistics
import sys
import time

import numpy as np
from sklearn.cluster import KMeans
from sklearn.covariance import LedoitWolf
from sklearn.mixture import GaussianMixture


def timed(rounds, work):
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def main():
    rows = np.fromfile(sys.argv[1], dtype="<f8").reshape(-1, 8)
    clusters, components, rounds = (int(argument) for argument in sys.argv[2:5])
    kmeans_s, kmeans = timed(rounds, lambda: KMeans(clusters, n_init=1, random_state=42).fit(rows))
    gmm_s, gmm = timed(rounds, lambda: GaussianMixture(components, random_state=42).fit(rows))
    covariance_s, covariance = timed(rounds, lambda: LedoitWolf().fit(rows))
    print(
        json.dumps(
            {
                "kmeans_s": kmeans_s,
                "kmeans_inertia": float(kmeans.inertia_),
                "kmeans_passes": int(kmeans.n_iter_),
                "gmm_s": gmm_s,
                "gmm_log_likelihood": float(gmm.score(rows)),
                "gmm_passes": int(gmm.n_iter_),
                "covariance_s": covariance_s,
                "covariance_trace": float(np.trace(covariance.covariance_)),
                "covariance_shrinkage": float(covariance.shrinkage_),
            }
        )
    )


if __name__ == "__main__":
    main()
