"""The `ingest` function as one would write it in Python, for `cargo xtask bench ingest` to compare with.

It does the work of a batch with the fastest usual parts: orjson for the host's request, numpy for the checks,
pyarrow for a zstd Parquet segment that is only ever created, scikit-learn's Mahalanobis distance for the score,
and the newest values of each device for its twin. It does less than the handler where doing the same would have to
be written row by row: scores are of single rows and not of each device's window, there are no contributions, no alerts
and no states to be restored. So the ratio speaks for Python rather than against it.

    peer.py PORT FOLDER    serves POST /ingest and GET / on 127.0.0.1:PORT, segments go to FOLDER
"""

import os
import sys
from base64 import b64decode
from pathlib import Path

# One core is what is measured; idle threads of the linear algebra would only cost.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import uvicorn
from fastapi import FastAPI, Request, Response
from sklearn.covariance import EmpiricalCovariance

SIGNALS = ("temperature", "vibration", "pressure", "speed", "load")
LIMITS = {"temperature": (-40.0, 180.0), "vibration": (0.0, 200.0), "pressure": (0.0, 1000.0)}
REPLY = b'{"Outputs":{"alerts":[],"commands":[]},"Logs":[],"ReturnValue":null}'


def fitted():
    """A model of normal operation; the values do not matter for the time that scoring takes."""
    rows = np.random.default_rng(7).normal((45.0, 2.5, 100.0, 1.5, 50.0), (1.0, 0.1, 2.0, 0.1, 5.0), (5_000, 5))
    return EmpiricalCovariance().fit(rows)


class Ingest:
    """State of the partitions: last sequence number, newest values of each device."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = fitted()
        self.limit = 18.5  # chi-square of five signals at 99.8 %
        self.last = {}
        self.newest = {}
        self.over = 0

    def batch(self, raw):
        request = orjson.loads(raw)
        metadata = request["Metadata"]
        partition = int(metadata["PartitionContext"]["PartitionId"])
        sequence = orjson.loads(metadata["SequenceNumberArray"])
        last = self.last.get(partition, -1)
        if sequence[-1] <= last:
            return
        system = orjson.loads(metadata["SystemPropertiesArray"])
        enqueued = orjson.loads(metadata["EnqueuedTimeUtcArray"])
        bodies = orjson.loads(request["Data"]["events"])
        rows = [
            (number, device, time, payload)
            for number, properties, time, payload in zip(
                sequence, system, enqueued, (orjson.loads(b64decode(body)) for body in bodies)
            )
            if number > last
            and (device := properties["iothub-connection-device-id"]) == payload.get("deviceId", device)
        ]
        values = np.array([[row[3].get(name, np.nan) for name in SIGNALS] for row in rows], dtype=np.float64)
        self.check(values)
        self.commit(partition, rows, values)
        scores = np.sqrt(self.model.mahalanobis(np.nan_to_num(values)) / self.limit)
        self.over += int((scores > 1.0).sum())
        for row, score in zip(rows, scores):
            self.newest[row[1]] = (row[0], row[3], score)
        self.last[partition] = sequence[-1]

    def check(self, values):
        for column, name in enumerate(SIGNALS):
            low, high = LIMITS.get(name, (-np.inf, np.inf))
            column = values[:, column]
            column[(column < low) | (column > high)] = np.nan

    def commit(self, partition, rows, values):
        zoned = pa.timestamp("us", tz="UTC")
        times = pa.array([row[3]["timestamp"] for row in rows]).cast(zoned)
        enqueued = pa.array([row[2] + "Z" for row in rows]).cast(zoned)
        columns = {
            "device_id": pa.array([row[1] for row in rows]).dictionary_encode(),
            "ts": times,
            "enqueued": enqueued,
            "partition": pa.array(np.full(len(rows), partition, dtype=np.int32)),
            "seq": pa.array(np.array([row[0] for row in rows], dtype=np.int64)),
            **{name: pa.array(values[:, column]) for column, name in enumerate(SIGNALS)},
            "operationalStatus": pa.array([row[3].get("operationalStatus") for row in rows]).dictionary_encode(),
        }
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, compression="zstd")
        # As in the handler: on the disk, whole or not at all, and never twice under one name.
        name = self.folder / f"p{partition}_{rows[0][0]}-{rows[-1][0]}.parquet"
        part = name.with_suffix(".part")
        with open(part, "wb") as file:
            file.write(sink.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.link(part, name)
        part.unlink()


def main():
    port, folder = int(sys.argv[1]), sys.argv[2]
    ingest, app = Ingest(folder), FastAPI()

    @app.get("/")
    async def ready():
        return Response()

    @app.post("/ingest")
    async def invoke(request: Request):
        ingest.batch(await request.body())
        return Response(REPLY, media_type="application/json")

    uvicorn.run(app, host="127.0.0.1", port=port, workers=1, loop="uvloop", http="httptools", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
