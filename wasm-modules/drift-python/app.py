"""drift-python: how far each signal's smoothed deviation has drifted from the baseline.

Everything is imported here, at the top: the component is a snapshot of this module after its import.
"""

import json
import struct

from componentize_py_types import Err
from twinwright import INSUFFICIENT, Answer, Batch
from wit_world import exports
from wit_world.exports import scoring

NAME, VERSION = "drift-python", "1.0.0"
STATE_FORMAT = 1
# The limit where a baseline has none for this scorer: in smoothed standard deviations.
DEFAULT_LIMIT = 3.0

baseline = None


class Baseline:
    def __init__(self, document):
        regime = document["regimes"][0]
        self.mean = regime["mean"]
        self.deviation = [max(value, 1e-9) for value in regime["deviation"]]
        self.alpha = document.get("ewma_alpha", 0.1)
        self.limit = document.get("limits", {}).get(NAME, DEFAULT_LIMIT)


class Scoring(exports.Scoring):
    def describe(self):
        return scoring.Descriptor(name=NAME, version=VERSION, state_format=STATE_FORMAT, deterministic=True)

    def prepare(self, document):
        global baseline
        try:
            baseline = Baseline(json.loads(document))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise Err(f"the baseline cannot be read: {error!r}")

    def score(self, raw):
        if baseline is None:
            raise Err("score was called before prepare")
        if raw.signals != len(baseline.mean):
            raise Err(f"{raw.signals} signals, the baseline has {len(baseline.mean)}")
        batch = Batch(raw)
        answer = Answer(batch)
        layout = struct.Struct(f"<B{batch.signals}d")
        smoothed = [unpack(layout, blob, batch.signals) for blob in batch.state]
        for row in range(batch.rows):
            state = smoothed[batch.device[row]]
            seen = False
            for signal, value in enumerate(batch.row(row)):
                if value is not None:
                    seen = True
                    distance = (value - baseline.mean[signal]) / baseline.deviation[signal]
                    state[signal] += baseline.alpha * (distance - state[signal])
            if not seen:
                answer.status[row] = INSUFFICIENT
                continue
            largest = max(range(batch.signals), key=lambda signal: abs(state[signal]))
            answer.set(row, abs(state[largest]) / baseline.limit, largest)
        answer.state = [layout.pack(STATE_FORMAT, *state) for state in smoothed]
        return answer.packed(scoring.Scored)


def unpack(layout, blob, signals):
    """A blob that is not ours, or that is cut, is no state."""
    if len(blob) != layout.size or blob[0] != STATE_FORMAT:
        return [0.0] * signals
    values = list(layout.unpack(blob)[1:])
    return values if all(abs(value) < 1e12 for value in values) else [0.0] * signals
