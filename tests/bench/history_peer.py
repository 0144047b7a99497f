"""The series query of bench_history in DuckDB, over the same files, in several ways; its best counts.

    python history_peer.py <folder of bench_history> [days]

Prints one JSON object. Needs the package duckdb.
"""

import glob
import json
import statistics
import sys
import time

import duckdb

START = 1_767_225_600
SIGNALS = ["temperature", "vibration", "pressure", "speed", "load", "motorTemperature", "current", "voltage", "flow", "torque"]


def main():
    folder = sys.argv[1] + "/data"
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    day = time.strftime("%Y-%m-%d", time.gmtime(START + 3 * 7 % days * 86_400))
    device, signal = f"robotic-arm-{3 * 13 % 100:03}", SIGNALS[3 * 3 % 10]
    rows = sorted(glob.glob(f"{folder}/history/v=1/hub=plant/date={day}/*.parquet"))
    minutes = sorted(glob.glob(f"{folder}/roll-ups/v=1/grain=1m/hub=plant/date={day}/*.parquet"))
    everything = f"{folder}/history/v=1/hub=*/date=*/*.parquet"
    # Times come as numbers: turning them into Python's own would be measured too.
    average = f"select epoch_us(date_trunc('minute', ts)) as bucket, avg({signal}) as mean"
    ways = {
        "rows_of_the_day": f"{average} from read_parquet({rows}) where device_id = '{device}' group by 1 order by 1",
        "rows_by_partition": f"{average} from read_parquet('{everything}', hive_partitioning = true)"
        f" where date = '{day}' and device_id = '{device}' group by 1 order by 1",
        "minutes_of_the_day": f"select epoch_us(ts) as bucket, sum / count as mean from read_parquet({minutes})"
        f" where device_id = '{device}' and signal = '{signal}' order by 1",
    }
    best, found = None, {}
    for name, query in ways.items():
        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set parquet_metadata_cache = true")
        times = []
        for _ in range(21):
            clock = time.perf_counter()
            answer = connection.execute(query).fetchall()
            times.append((time.perf_counter() - clock) * 1e3)
        assert len(answer) == 1440, (name, len(answer))
        found[name] = {"first_ms": times[0], "warm_ms": statistics.median(times[1:])}
        best = min(best or 1e9, found[name]["warm_ms"])
    print(json.dumps({"duckdb": duckdb.__version__, "series_warm_ms": best, "ways": found}))


main()
