"""Trains an autoencoder, exports it as model.onnx, and writes how its answers are read and a case to test it by.

    python3 -m venv .venv && .venv/bin/pip install scikit-learn==1.9.1 skl2onnx==1.20.0 onnxruntime==1.32.0
    .venv/bin/python export.py

Replace `history` by rows of your machine while it was well. The engine standardises rows with the baseline's mean and
deviation before the model sees them ("standardise"), so one model serves machines that differ in scale.
"""

import json
import pathlib

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.neural_network import MLPRegressor

NAME = "drift-onnx"
SIGNALS = ["flow", "pressure", "speed", "current"]
random = np.random.default_rng(7)


def history(rows):
    """A pump: three signals follow its speed, each with noise of its own."""
    load = random.uniform(0.5, 1.0, rows)
    clean = np.column_stack([12 * load, 3 * load**2, 1500 * load, 4 + 5 * load])
    return clean + random.normal(0, 1, clean.shape) * [0.12, 0.03, 9, 0.08]


well = history(6_000)
mean, deviation = well.mean(axis=0), well.std(axis=0)
standard = ((well - mean) / deviation).astype(np.float32)
model = MLPRegressor(hidden_layer_sizes=(8, 2, 8), activation="tanh", max_iter=400, random_state=1).fit(standard[:4_000], standard[:4_000])
pathlib.Path("model.onnx").write_bytes(to_onnx(model, standard[:1], target_opset=17).SerializeToString())

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])


def raw(rows):
    """How far rows are from their reconstruction, in deviations: what "read": "reconstruction" means."""
    rows = ((rows - mean) / deviation).astype(np.float32)
    rebuilt = session.run(None, {session.get_inputs()[0].name: rows})[0].reshape(rows.shape)
    return np.sqrt(((rows.astype(float) - rebuilt) ** 2).mean(axis=1))


# One row in a thousand of those that training did not see may be above the limit.
limit = float(np.quantile(raw(well[4_000:]), 0.999))
settings = {"engine": "onnx", "read": "reconstruction", "standardise": True, "limit": limit}
pathlib.Path("model.json").write_text(json.dumps(settings, indent=2) + "\n")

# A case: ten rows that are well, and ten with a blocked pipe (pressure without flow).
rows = history(20)
rows[10:, 0] *= np.linspace(1, 0.4, 10)
baseline = {
    "format": 1, "id": "pump/1", "equipment": "pump", "created": "2026-01-01T00:00:00Z",
    "window": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "rows": len(well)}, "data_hash": "",
    "signals": SIGNALS, "scorers": [NAME], "limits": {},
    "regimes": [{
        "weight": 1, "mean": mean.tolist(), "deviation": deviation.tolist(),
        "precision": np.eye(4).ravel().tolist(), "ewma_deviation": [1, 1, 1, 1],
    }],
}
case = {
    "baseline": baseline,
    "batch": {
        "signals": 4, "device": [0] * 20, "time": [1_767_225_600_000_000 + at * 1_000_000 for at in range(20)],
        "values": rows.ravel().tolist(),
    },
    "expected": {"scores": (raw(rows) / limit).tolist()},
    "tolerance": 1e-4,
}
pathlib.Path("golden").mkdir(exist_ok=True)
pathlib.Path("golden/blocked.json").write_text(json.dumps(case) + "\n")
print(f"limit {limit:.3f} deviations; a blocked pipe scores {raw(rows)[-1] / limit:.1f}")
