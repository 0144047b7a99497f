"""The packed buffers of the scorer contract, read and written at C speed.

Copy this file into your scorer. It needs the standard library only.
"""

from array import array

OK, WARMING, INSUFFICIENT, INVALID = 0, 1, 2, 3


class Batch:
    """Rows of devices of one equipment model."""

    def __init__(self, raw):
        self.signals = raw.signals
        self.device = memoryview(raw.device).cast("I")
        self.time = memoryview(raw.time).cast("q")
        self.values = memoryview(raw.values).cast("d")
        self.mask = raw.mask
        self.rows = len(self.device)
        ends = memoryview(raw.state_ends).cast("I")
        starts = [0, *ends[:-1]] if len(ends) else []
        self.state = [raw.state[start:end] for start, end in zip(starts, ends)]
        """The blob of each device; empty: no state yet."""

    def row(self, row):
        """The values of a row; None where there is none to be trusted."""
        start = row * self.signals
        values = self.values[start:start + self.signals]
        mask = self.mask[start:start + self.signals]
        return [None if masked else value for value, masked in zip(values, mask)]


class Answer:
    """What a scorer answers: one score, status and S contributions a row, one blob a device."""

    def __init__(self, batch):
        self.signals = batch.signals
        self.scores = array("d", bytes(8 * batch.rows))
        self.status = bytearray(batch.rows)
        self.contributions = array("d", bytes(8 * batch.rows * batch.signals))
        self.state = list(batch.state)

    def set(self, row, score, signal):
        """Gives a row its score, and the signal that it is due to."""
        self.scores[row] = score
        self.contributions[row * self.signals + signal] = score

    def packed(self, scored):
        """The contract's record, `scored` being its class."""
        ends, end = array("I"), 0
        for blob in self.state:
            end += len(blob)
            ends.append(end)
        return scored(
            scores=self.scores.tobytes(),
            status=bytes(self.status),
            contributions=self.contributions.tobytes(),
            state=b"".join(self.state),
            state_ends=ends.tobytes(),
        )
