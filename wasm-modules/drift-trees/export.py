"""Trains an isolation forest, exports it as model.onnx, and writes how its answers are read and a case to test it by.

    python3 -m venv .venv && .venv/bin/pip install scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0
    .venv/bin/python export.py

Replace `history` by rows of your machine while it was well. skl2onnx makes a graph of a thousand nodes of an isolation
forest; `paths` makes one operator of it, whose answer is the mean length of a row's paths. Forests and boosted trees that
predict a number or a chance need no such thing: `skl2onnx.to_onnx` and "read": "value".
"""

import json
import pathlib

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from sklearn.ensemble import IsolationForest

NAME = "drift-trees"
SIGNALS = ["flow", "pressure", "speed", "current"]
random = np.random.default_rng(7)


def history(rows):
    """A pump: three signals follow its speed, each with noise of its own."""
    load = random.uniform(0.5, 1.0, rows)
    clean = np.column_stack([12 * load, 3 * load**2, 1500 * load, 4 + 5 * load])
    return clean + random.normal(0, 1, clean.shape) * [0.12, 0.03, 9, 0.08]


def average(rows):
    """Mean path of an unsuccessful search in a tree of so many rows (Liu, Ting and Zhou 2008, equation 1)."""
    rows = np.asarray(rows, dtype=float)
    more = 2 * (np.log(np.maximum(rows - 1, 1)) + np.euler_gamma) - 2 * (rows - 1) / np.maximum(rows, 1)
    return np.where(rows > 2, more, np.where(rows == 2, 1.0, 0.0))


def paths(forest):
    """The forest as one TreeEnsembleRegressor: the mean of depth and of what is left to search in each leaf."""
    nodes = {name: [] for name in ["treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids"]}
    leaves = {name: [] for name in ["treeids", "nodeids", "ids", "weights"]}
    for number, (one, features) in enumerate(zip(forest.estimators_, forest.estimators_features_)):
        tree, depth = one.tree_, {0: 0}
        for node in range(tree.node_count):
            left, right = tree.children_left[node], tree.children_right[node]
            is_leaf = left == right
            if is_leaf:
                length = depth[node] + float(average(tree.n_node_samples[node]))
                for name, value in zip(leaves, [number, node, 0, length / len(forest.estimators_)]):
                    leaves[name].append(value)
            else:
                depth[left] = depth[right] = depth[node] + 1
            # The trees compare numbers of 64 bits; of 32 bits are the rows, so the next one below is the same border.
            border = np.float32(tree.threshold[node])
            if not is_leaf and float(border) > tree.threshold[node]:
                border = np.nextafter(border, np.float32(-np.inf))
            for name, value in zip(nodes, [
                number, node, 0 if is_leaf else features[tree.feature[node]], 0.0 if is_leaf else float(border),
                "LEAF" if is_leaf else "BRANCH_LEQ", 0 if is_leaf else left, 0 if is_leaf else right,
            ]):
                nodes[name].append(value)
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in leaves.items()}
    operator = helper.make_node(
        "TreeEnsembleRegressor", ["rows"], ["path"], domain="ai.onnx.ml", n_targets=1, **attributes
    )
    graph = helper.make_graph(
        [operator], NAME,
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, forest.n_features_in_])],
        [helper.make_tensor_value_info("path", TensorProto.FLOAT, [None, 1])],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)])


well = history(6_000)
forest = IsolationForest(n_estimators=40, max_samples=64, random_state=1).fit(well[:4_000].astype(np.float32))
pathlib.Path("model.onnx").write_bytes(paths(forest).SerializeToString())
average_path = float(average(forest.max_samples_))

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])


def raw(rows):
    """The forest's score, 0 to 1: what "read": "isolation-forest" means."""
    length = session.run(None, {"rows": rows.astype(np.float32)})[0][:, 0]
    return 2 ** (-length.astype(float) / average_path)


apart = np.abs(raw(well) + forest.score_samples(well.astype(np.float32))).max()
assert apart < 1e-5, f"the export differs from scikit-learn by {apart}"
# One row in a hundred of those that training did not see may be above the limit; half of all are below normal.
held_back = raw(well[4_000:])
normal, limit = float(np.median(held_back)), float(np.quantile(held_back, 0.99))
settings = {
    "engine": "tree-ensemble", "read": "isolation-forest", "average_path": average_path,
    "normal": normal, "limit": limit,
}
pathlib.Path("model.json").write_text(json.dumps(settings, indent=2) + "\n")

# A case: ten rows that are well, and ten of a pump that runs dry (fast, with neither flow nor pressure).
rows = history(20)
rows[10:, :2] *= np.linspace(1, 0.1, 10)[:, None]
rows[10:, 2] *= np.linspace(1, 1.3, 10)
baseline = {
    "format": 1, "id": "pump/1", "equipment": "pump", "created": "2026-01-01T00:00:00Z",
    "window": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "rows": len(well)}, "data_hash": "",
    "signals": SIGNALS, "scorers": [NAME], "limits": {},
    "regimes": [{
        "weight": 1, "mean": well.mean(axis=0).tolist(), "deviation": well.std(axis=0).tolist(),
        "precision": np.eye(4).ravel().tolist(), "ewma_deviation": [1, 1, 1, 1],
    }],
}
case = {
    "baseline": baseline,
    "batch": {
        "signals": 4, "device": [0] * 20, "time": [1_767_225_600_000_000 + at * 1_000_000 for at in range(20)],
        "values": rows.ravel().tolist(),
    },
    "expected": {"scores": np.maximum((raw(rows) - normal) / (limit - normal), 0).tolist()},
    "tolerance": 1e-4,
}
pathlib.Path("golden").mkdir(exist_ok=True)
pathlib.Path("golden/dry.json").write_text(json.dumps(case) + "\n")
print(f"limit {limit:.3f}, normal {normal:.3f}; a dry pump scores {case['expected']['scores'][-1]:.1f}")
