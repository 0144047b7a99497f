// Sends telemetry of a robotic arm with Microsoft's Node device SDK.
//
//   NODE_EXTRA_CA_CERTS=<ca.pem> node send_telemetry.js "<device connection string>" [count]
//
// The connection string may also stand in DEVICE_CONNECTION_STRING. Nothing in here knows of a local hub.
"use strict";

const { Client, Message } = require("azure-iot-device");
const { Mqtt } = require("azure-iot-device-mqtt");

const connectionString = process.argv[2] ?? process.env.DEVICE_CONNECTION_STRING;
const count = Number(process.argv[3] ?? 100);
const deviceId = /DeviceId=([^;]+)/.exec(connectionString)[1];
const around = (middle, spread) => Number((middle + (Math.random() - 0.5) * spread).toFixed(2));

async function main() {
  const client = Client.fromConnectionString(connectionString, Mqtt);
  await client.open();
  for (let number = 0; number < count; number += 1) {
    const message = new Message(
      JSON.stringify({
        deviceId,
        timestamp: new Date().toISOString(),
        temperature: around(45, 8),
        vibration: around(2.5, 2),
        pressure: around(120, 20),
        operationalStatus: "running",
      }),
    );
    message.contentType = "application/json";
    message.contentEncoding = "utf-8";
    message.messageId = `arm-${number}`;
    message.properties.add("shift", "early & late");
    await client.sendEvent(message);
  }
  await client.close();
  console.log(`sent ${count}`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
