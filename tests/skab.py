#!/usr/bin/env python3
"""SKAB (waico/SKAB), one file the whole way: baseline on its first 400 rows, the rest sent as a device would, and the
alert must open inside the labelled window.

    python3 tests/skab.py DATA/skab/other/1.csv --twinwright target/debug/twinwright --app target/functionapp

The data are not part of the project: without them the script says so and ends well.
"""

import argparse
import csv
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

TRAIN_ROWS = 400
DEVICE = "skab-1"
PATIENCE = 120


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=datetime.timezone.utc)


def labelled(path):
    """The first labelled window after the training rows, as (first, last) event time."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))[TRAIN_ROWS:]
    times = [moment(row["datetime"]) for row in rows if float(row["anomaly"]) > 0]
    return times[0], times[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=pathlib.Path)
    parser.add_argument("--twinwright", default="target/debug/twinwright")
    parser.add_argument("--app", default="target/functionapp")
    options = parser.parse_args()
    if not options.csv.exists():
        print(f"skipped: {options.csv} is not here; get it from waico/SKAB")
        return 0
    first, last = labelled(options.csv)
    with tempfile.TemporaryDirectory() as folder:
        ports = ["--mqtt-port", "18883", "--hub-port", "18443", "--twins-port", "18444", "--http-port", "17071"]
        environment = dict(os.environ, TWINWRIGHT_EQUIPMENT__SKAB__DEVICES='["skab-*"]', TWINWRIGHT_DATA=folder)
        environment["TWINWRIGHT_SCORING__REFRESH_SECONDS"] = "0"

        def ask(*words):
            done = subprocess.run([options.twinwright, *words, "--json"], env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"twinwright {' '.join(words)}: {done.stderr}")
            return json.loads(done.stdout)

        up = [options.twinwright, "up", "--no-simulate", "--app", options.app, *ports]
        with open(pathlib.Path(folder) / "up.log", "w") as log:
            platform = subprocess.Popen(up, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + PATIENCE
            while not (pathlib.Path(folder) / "connection.json").exists():
                if platform.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((pathlib.Path(folder) / "up.log").read_text())
                time.sleep(0.1)
            print(ask("train", str(options.csv), "--equipment", "skab", "--rows", str(TRAIN_ROWS))["reason"])
            ask("twins", "create", DEVICE, "--model", "dtmi:twinwright:Equipment;1")
            sent = ask("replay", str(options.csv), "--device", DEVICE, "--skip", str(TRAIN_ROWS))
            shift = datetime.timedelta(microseconds=sent["shiftMicros"])
            deadline, alerts = time.monotonic() + PATIENCE, []
            while not alerts:
                alerts = [a for a in ask("alerts", "list", "--all")["alerts"] if a["device"] == DEVICE]
                if time.monotonic() > deadline:
                    print(f"no alert; the labelled window is {first} to {last}")
                    return 1
                time.sleep(0.5)
        finally:
            platform.send_signal(signal.SIGINT)
            platform.wait(30)
    opened = min(moment(alert["openedAt"]) - shift for alert in alerts)
    inside = first <= opened <= last
    causes = ", ".join(f"{c['signal']} {c['share']:.0%}" for c in alerts[-1]["causes"][:3])
    print(f"{sent['sent']} rows sent; alert opened {opened:%H:%M:%S}, window {first:%H:%M:%S} to {last:%H:%M:%S}; {causes}")
    print("inside the window" if inside else "OUTSIDE the window")
    return 0 if inside else 1


if __name__ == "__main__":
    sys.exit(main())
