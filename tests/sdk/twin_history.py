"""The data history of the twins, read by DuckDB as it lies there. Prints the changes of one twin as JSON."""

import json
import sys

import duckdb

folder, twin = sys.argv[1:]
duck = duckdb.connect()
duck.execute("set TimeZone = 'UTC'")


def read(table, columns, where):
    files = f"read_parquet('{folder}/twins/v=1/table={table}/*/*.parquet', hive_partitioning = true)"
    query = f"select {columns} from {files} where {where} = ? and date is not null order by TimeStamp"
    return duck.execute(query, [twin]).fetchall()


result = {
    "life": read("AdtTwinLifeCycleEvents", "Action, ModelId", "TwinId"),
    "properties": read("AdtPropertyEvents", "Key, Value, Action, typeof(TimeStamp)", "Id"),
}
print(json.dumps(result))
