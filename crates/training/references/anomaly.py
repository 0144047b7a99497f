"""scikit-learn's detectors on the rows of a suite, for comparison in the same run.

One JSON request a line on standard input: {"values": [...], "width": S, "fit": rows, "end": rows}. One line back: an
object of methods with a score a row, where 1.0 is the limit: the 99.5 % quantile of the method's score over the
calibration rows, fit to end. All methods get the same standardised rows; missing values count as normal.
"""

import json
import sys

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture

SEED = 1


def methods(fit):
    width = fit.shape[1]
    mixture = GaussianMixture(n_components=2, covariance_type="full", reg_covar=1e-3, random_state=SEED).fit(fit)
    means = KMeans(n_clusters=8, n_init=4, random_state=SEED).fit(fit)
    forest = IsolationForest(n_estimators=100, random_state=SEED).fit(fit)
    found = {
        "reference: GaussianMixture": lambda rows: -mixture.score_samples(rows),
        "reference: KMeans": lambda rows: means.transform(rows).min(axis=1),
        "reference: IsolationForest": lambda rows: -forest.score_samples(rows),
    }
    if width > 1:
        parts = PCA(n_components=0.9, svd_solver="full").fit(fit)

        def length(rows):
            along = parts.transform(rows)
            rest = rows - parts.inverse_transform(along)
            return (along**2 / parts.explained_variance_).sum(axis=1), (rest**2).sum(axis=1)

        scale = [np.quantile(part, 0.995) + 1e-12 for part in length(fit)]
        found["reference: PCA T²+Q"] = lambda rows: np.maximum(
            *[part / limit for part, limit in zip(length(rows), scale)]
        )
    return found


def answer(request):
    rows = np.array([np.nan if value is None else value for value in request["values"]], dtype=float)
    rows = rows.reshape(-1, request["width"])
    fit, end = request["fit"], request["end"]
    mean, spread = np.nanmean(rows[:fit], axis=0), np.nanstd(rows[:fit], axis=0)
    rows = np.nan_to_num((rows - mean) / np.maximum(spread, 1e-9), nan=0.0, posinf=10, neginf=-10).clip(-1e3, 1e3)
    scores = {}
    for name, score in methods(rows[:fit]).items():
        raw = score(rows)
        # Likelihoods may be negative: what is typical of the fitting rows counts as 0.
        usual = np.median(raw[:fit])
        limit = np.quantile(raw[fit:end], 0.995) - usual
        scores[name] = np.maximum((raw - usual) / max(limit, 1e-9), 0.0).clip(0, 1e6).tolist()
    return scores


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
