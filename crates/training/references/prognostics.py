"""scikit-learn on the tasks that are no detection, for comparison in the same run: remaining life, quality, load.

One JSON request a line on standard input, under "task" which of the three; one line back: an object of methods with
a prediction each. The rows come from the suite, so both sides see the same data under the same protocol; a null is
an absent value. Each task gets the plain tools that a data scientist would take first. Settings are fixed here, not
tuned to a folder.
"""

import json
import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 0


def array(values):
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def life_features(run, window, start):
    out = []
    for end in range(1, len(run) + 1):
        part = run[max(0, end - window) : end]
        place = np.arange(len(part)) - (len(part) - 1) / 2
        across = max((place**2).sum(), 1.0)
        mean = part.mean(0)
        begun = run[: min(end, start)].mean(0)
        out.append(np.concatenate([mean, place @ part / across, mean - begun, part.std(0), [end]]))
    return np.nan_to_num(np.array(out))


def life(request):
    """Estimates at the last row of each test run: the features of the scorer, without its regimes."""
    width, window, start, cap = (request[name] for name in ("width", "window", "start", "cap"))
    runs = lambda name: [array(values).reshape(-1, width) for values in request[name]]
    train = runs("train")
    inputs = np.concatenate([life_features(run, window, start) for run in train])
    target = np.concatenate([np.minimum(np.arange(len(run))[::-1], cap) for run in train])
    last = np.array([life_features(run, window, start)[-1] for run in runs("test")])
    boosting = HistGradientBoostingRegressor(
        max_iter=250, learning_rate=0.04, max_leaf_nodes=31, min_samples_leaf=100, random_state=SEED
    ).fit(inputs, target)
    ridge = make_pipeline(StandardScaler(), Ridge(alpha=100.0)).fit(inputs, target)
    return {
        "reference: HistGradientBoosting": boosting.predict(last),
        "reference: Ridge": ridge.predict(last).clip(0, cap),
    }


def quality(request):
    """Each part from the first on is judged by a model of earlier parts."""
    rows = np.array([array(row) for row in request["values"]])
    bad = np.array(request["bad"], dtype=int)
    first, every = request["first"], request["every"]
    methods = {
        "reference: LogisticRegression": lambda: LogisticRegression(class_weight="balanced", max_iter=2000),
        "reference: HistGradientBoosting": lambda: HistGradientBoostingClassifier(
            max_iter=100, learning_rate=0.05, max_leaf_nodes=8, class_weight="balanced", random_state=SEED
        ),
        "reference: RandomForest": lambda: RandomForestClassifier(
            n_estimators=200, min_samples_leaf=5, class_weight="balanced", random_state=SEED
        ),
    }
    scores = {name: [] for name in methods}
    for known in range(first, len(bad), every):
        earlier = rows[:known]
        mean = np.nan_to_num(np.nanmean(earlier, 0))
        deviation = np.nanstd(earlier, 0)
        scale = np.where(deviation > 0, deviation, 1.0)
        scaled = lambda part: np.nan_to_num((part - mean) / scale)
        for name, make in methods.items():
            model = make().fit(scaled(earlier), bad[:known])
            scores[name] += list(model.predict_proba(scaled(rows[known : known + every]))[:, 1])
    return scores


def load(request):
    """The 96 quarters of an hour of each day from the first on, told by what the days before it say."""
    days = np.array([array(day) for day in request["days"]])
    weekday, kind, first, every = (request[name] for name in ("weekday", "class", "first", "every"))
    slots = days.shape[1]

    def inputs(day):
        yesterday, flat = days[day - 1], lambda value: np.full(slots, value)
        columns = [np.arange(slots), flat(weekday[day]), flat(kind[day]), yesterday, days[day - 7]]
        columns += [np.nanmean(days[day - 7 : day], axis=0), flat(np.nanmean(yesterday))]
        columns += [flat(np.nanmean(yesterday[-4:])), flat(np.nanmean(days[day - 7]))]
        return np.array(columns).T

    methods = {
        "reference: HistGradientBoosting": lambda: HistGradientBoostingRegressor(
            max_iter=80, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=200, random_state=SEED
        ),
        "reference: Ridge": lambda: make_pipeline(StandardScaler(), Ridge(alpha=100.0)),
    }
    rows = {day: inputs(day) for day in range(14, len(days))}
    forecasts = {name: [] for name in methods}
    for known in range(first, len(days), every):
        table = np.concatenate([rows[day] for day in range(14, known)])
        target = days[14:known].ravel()
        there = np.isfinite(target)
        for name, make in methods.items():
            model = make().fit(np.nan_to_num(table[there]), target[there])
            for day in range(known, min(known + every, len(days))):
                forecasts[name] += list(model.predict(np.nan_to_num(rows[day])))
    return forecasts


TASKS = {"life": life, "quality": quality, "load": load}

for line in sys.stdin:
    request = json.loads(line)
    found = TASKS[request["task"]](request)
    print(json.dumps({name: [float(value) for value in values] for name, values in found.items()}), flush=True)
