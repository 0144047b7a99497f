"""Opens a history folder with what other people use: DuckDB, pandas/pyarrow, deltalake. tests/tests/history_open.rs makes it.

    python history_open.py <folder> expected.json

Ends with an error where a count, a sum or a type differs. Needs duckdb, pandas, pyarrow, deltalake.
"""

import json
import math
import sys

import duckdb
import pandas
import pyarrow.dataset
import pyarrow.types
from deltalake import DeltaTable


def check(what, found, expected):
    same = math.isclose(found, expected, rel_tol=1e-9) if isinstance(expected, float) else found == expected
    if not same:
        raise SystemExit(f"{what}: {found!r} where {expected!r} is stored")
    print(f"{what}: {found!r}")


def main():
    folder, expected = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
    table = f"{folder}/history/v=1/hub=plant"
    minutes = f"{folder}/roll-ups/v=1/grain=1m/hub=plant"

    duck = duckdb.connect()
    duck.execute("set TimeZone = 'UTC'")
    files = f"read_parquet('{folder}/history/v=1/hub=*/date=*/*.parquet', hive_partitioning = true, union_by_name = true)"
    rows, speed, days, devices = duck.execute(
        f"select count(*), sum(speed), count(distinct date), count(distinct device_id) from {files}"
    ).fetchone()
    check("duckdb rows", rows, expected["rows"])
    check("duckdb sum", speed, expected["speed"])
    check("duckdb days", days, expected["days"])
    check("duckdb devices", devices, len(expected["devices"]))
    check("duckdb absent values", duck.execute(f"select count(load__kN_) from {files}").fetchone()[0], expected["load"])
    keys = duck.execute(f"select count(distinct (partition, epoch, seq)) from {files}").fetchone()[0]
    check("duckdb keys", keys, expected["rows"])
    counted, summed = duck.execute(
        f"select sum(count), sum(sum) from read_parquet('{minutes}/date=*/*.parquet') where signal = 'speed'"
    ).fetchone()
    check("duckdb roll-up count", int(counted), expected["rows"])
    check("duckdb roll-up sum", summed, expected["speed"])

    dataset = pyarrow.dataset.dataset(table, partitioning="hive", exclude_invalid_files=True)
    read = dataset.to_table(columns=["device_id", "ts", "seq", "speed", "status"])
    check("pyarrow rows", read.num_rows, expected["rows"])
    check("pyarrow time", str(read.schema.field("ts").type), "timestamp[us, tz=UTC]")
    frame = read.to_pandas()
    check("pandas sum", float(frame["speed"].sum()), expected["speed"])
    check("pandas states", sorted(frame["status"].unique()), ["idle", "running"])
    day = pandas.read_parquet(f"{table}/date=2026-01-03")
    check("pandas one day", len(day), 24 * 180)
    if not (day.sort_values(["device_id", "ts"], kind="stable").index == day.index).all():
        raise SystemExit("a day is not sorted by device and time")

    delta = DeltaTable(table)
    check("delta partitions", sorted(delta.metadata().partition_columns), ["date"])
    frame = delta.to_pandas()
    check("delta rows", len(frame), expected["rows"])
    check("delta sum", float(frame["speed"].sum()), expected["speed"])
    check("delta absent values", int(frame["load__kN_"].count()), expected["load"])
    one = delta.to_pandas(partitions=[("date", "=", "2026-01-01")])
    check("delta one day with its late rows", len(one), 24 * 180 + 180)
    old = DeltaTable(table, version=0)
    check("delta first version has fewer columns", "load__kN_" in [field.name for field in old.schema().fields], False)


main()
