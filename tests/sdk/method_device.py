"""A device that answers the direct method emergencyStop once, then ends.

    SSL_CERT_FILE=<ca.pem> python method_device.py "<device connection string>" [seconds to wait]

Prints `ready` when it can be called, and the payload it was called with.
"""

import asyncio
import json
import os
import sys

from azure.iot.device import MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient


async def main() -> None:
    connection_string = sys.argv[1] if len(sys.argv) > 1 else os.environ["DEVICE_CONNECTION_STRING"]
    patience = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    client = IoTHubDeviceClient.create_from_connection_string(connection_string)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    calls = []

    async def handle(request):
        known = request.name == "emergencyStop"
        payload = {"stopped": known, "received": request.payload}
        await client.send_method_response(
            MethodResponse.create_from_method_request(request, 200 if known else 404, payload)
        )
        if known:
            calls.append(request.payload)
            # The SDK runs handlers in a loop of its own.
            loop.call_soon_threadsafe(stopped.set)

    await client.connect()
    # Setting the handler subscribes; the twin is read afterwards, so that `ready` means the subscription stands.
    client.on_method_request_received = handle
    twin = await client.get_twin()
    print("ready", json.dumps(twin["desired"]), flush=True)
    try:
        await asyncio.wait_for(stopped.wait(), patience)
        print("emergencyStop", json.dumps(calls[0]), flush=True)
        await client.patch_twin_reported_properties({"operationalStatus": "stopped"})
    finally:
        await client.shutdown()


asyncio.run(main())
