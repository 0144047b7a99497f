"""Sends telemetry of a robotic arm with Microsoft's Python device SDK.

    SSL_CERT_FILE=<ca.pem> python send_telemetry.py "<device connection string>" [count]

The connection string may also stand in DEVICE_CONNECTION_STRING. Nothing in here knows of a local hub.
"""

import asyncio
import json
import os
import random
import sys
from datetime import datetime, timezone

from azure.iot.device.aio import IoTHubDeviceClient


async def main() -> None:
    connection_string = sys.argv[1] if len(sys.argv) > 1 else os.environ["DEVICE_CONNECTION_STRING"]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    fields = dict(part.split("=", 1) for part in connection_string.split(";"))
    client = IoTHubDeviceClient.create_from_connection_string(connection_string)
    await client.connect()
    for number in range(count):
        temperature = 45.0 + random.normalvariate(0, 2)
        vibration = 2.5 + random.normalvariate(0, 0.5)
        if random.random() < 0.05:
            temperature += random.uniform(15, 25)
            vibration += random.uniform(3, 6)
        telemetry = {
            "deviceId": fields["DeviceId"],
            "timestamp": datetime.now(timezone.utc).replace(tzinfo=None).isoformat(),
            "temperature": round(temperature, 2),
            "vibration": round(vibration, 2),
            "pressure": round(120 + random.normalvariate(0, 5), 2),
            "operationalStatus": "running",
        }
        # Plain text, as the simplest device sends it: no content type, no encoding.
        await client.send_message(json.dumps(telemetry))
    await client.disconnect()
    await client.shutdown()
    print(f"sent {count}")


asyncio.run(main())
