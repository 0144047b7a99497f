"""scikit-learn on the same folders and protocols as the suites cmapss, secom and steel, as the reference of a run.

    prognostics.py cmapss|secom|steel FOLDER    prints one JSON object of figures

Each uses the plain tool for the task: histogram boosting with the features of `rul`, logistic regression fitted
anew as parts come, histogram boosting on simple lags. Settings are fixed here, not tuned to a folder.
"""

import csv
import datetime
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score


def text(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        return file.read()


def engines(path):
    rows = np.array([[float(field) for field in line.split()] for line in text(path).splitlines() if line.strip()])
    return [rows[rows[:, 0] == engine, 5:] for engine in np.unique(rows[:, 0])]


def features(run, window=30, start=20):
    out = []
    for end in range(1, len(run) + 1):
        part = run[max(0, end - window) : end]
        place = np.arange(len(part)) - (len(part) - 1) / 2
        across = max((place**2).sum(), 1.0)
        mean = part.mean(0)
        out.append(
            np.concatenate([mean, place @ part / across, mean - run[: min(end, start)].mean(0), part.std(0), [end]])
        )
    return np.array(out)


def cmapss(folder):
    figures = {}
    for train_path in sorted(folder.glob("train_*.txt*")):
        name = train_path.name.split(".")[0].removeprefix("train_")
        find = lambda part: next(folder.glob(f"{part}_{name}.txt*"))
        train, test = engines(train_path), engines(find("test"))
        truth = np.array([float(line) for line in text(find("RUL")).split()])
        inputs = np.concatenate([features(run) for run in train])
        target = np.concatenate([np.minimum(np.arange(len(run))[::-1], 125) for run in train])
        model = HistGradientBoostingRegressor(
            max_iter=250, learning_rate=0.04, max_leaf_nodes=31, min_samples_leaf=100, random_state=0
        ).fit(inputs, target)
        estimate = model.predict(np.array([features(run)[-1] for run in test]))
        figures[f"cmapss_{name.lower()}_rmse"] = float(np.sqrt(((estimate - truth) ** 2).mean()))
    return figures


def secom(folder):
    rows = []
    for path in sorted(folder.glob("*.csv*")):
        lines = list(csv.reader(text(path).splitlines()))[1:]
        rows += [[float(field) if field else np.nan for field in line] for line in lines]
    rows = np.array(sorted(rows, key=lambda row: row[0]))
    inputs, bad = rows[:, 1:-1], (rows[:, -1] == 1).astype(int)
    first, scores = len(bad) // 2, []
    for known in range(first, len(bad), 100):
        earlier = inputs[:known]
        mean, deviation = np.nanmean(earlier, 0), np.nanstd(earlier, 0)
        scaled = lambda part: np.nan_to_num((part - mean) / np.where(deviation > 0, deviation, 1))
        model = LogisticRegression(class_weight="balanced", max_iter=2000).fit(scaled(earlier), bad[:known])
        scores += list(model.decision_function(scaled(inputs[known : known + 100])))
    return {"secom_auc": float(roc_auc_score(bad[first:], scores))}


def steel(folder):
    loads = []
    for path in sorted(folder.glob("*.csv*")):
        lines = list(csv.reader(text(path).splitlines()))[1:]
        loads += [float(line[1]) for line in lines]
        begins = datetime.datetime.strptime(lines[0][0].split()[0], "%d/%m/%Y")
    days = np.array(loads[: len(loads) // 96 * 96]).reshape(-1, 96)
    weekday = [(begins.weekday() + day) % 7 for day in range(len(days))]

    def inputs(day):
        yesterday, flat = days[day - 1], lambda value: np.full(96, value)
        columns = [np.arange(96), flat(weekday[day]), yesterday, days[day - 7], days[day - 7 : day].mean(0)]
        columns += [flat(yesterday.mean()), flat(yesterday[-4:].mean()), flat(days[day - 7].mean())]
        return np.array(columns).T

    first, forecasts = 56, []
    for known in range(first, len(days), 7):
        rows = np.concatenate([inputs(day) for day in range(14, known)])
        model = HistGradientBoostingRegressor(
            max_iter=80, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=200, random_state=0
        ).fit(rows, days[14:known].ravel())
        forecasts += [model.predict(inputs(day)) for day in range(known, min(known + 7, len(days)))]
    error = np.array(forecasts) - days[first:]
    return {"steel_day_ahead_cv_rmse": float(100 * np.sqrt((error**2).mean()) / days[first:].mean())}


if __name__ == "__main__":
    suite = {"cmapss": cmapss, "secom": secom, "steel": steel}[sys.argv[1]]
    print(json.dumps(suite(Path(sys.argv[2]))))
