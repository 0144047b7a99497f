// Every operation of the Azure Digital Twins data plane through Microsoft's own JavaScript client.
//
// Usage: NODE_EXTRA_CA_CERTS=FILE node twins_every_operation.js --url https://localhost:8444 --token-file FILE [--endpoint NAME]
//
// Needs @azure/digital-twins-core 1.1 and an instance that nobody else uses. Leaves nothing behind. Ends with a line that
// counts the operations; exit code 0 when all holds.
"use strict";

const assert = require("node:assert");
const crypto = require("node:crypto");
const fs = require("node:fs");
const { parseArgs } = require("node:util");
const { DigitalTwinsClient } = require("@azure/digital-twins-core");

const run = crypto.randomUUID().slice(0, 8).replace(/^/, "R");
const [SITE, CELL, PROBE] = ["Site", "Cell", "Probe"].map((name) => `dtmi:every:operation:${name}${run};1`);
const operations = new Set();

function counted(client) {
  return new Proxy(client, {
    get(target, name) {
      const value = target[name];
      if (typeof value !== "function") return value;
      operations.add(name);
      return value.bind(target);
    },
  });
}

async function refused(status, code, call) {
  try {
    await call();
  } catch (error) {
    const body = error.response && error.response.bodyAsText ? JSON.parse(error.response.bodyAsText) : {};
    const found = body.error ? body.error.code : undefined;
    assert.deepStrictEqual([error.statusCode, found], [status, code], error.message);
    return;
  }
  assert.fail(`expected ${status} ${code}, and the call went through`);
}

async function all(iterator) {
  const found = [];
  for await (const entry of iterator) found.push(entry);
  return found;
}

const property = (name, schema) => ({ "@type": "Property", name, schema });
const model = (id, ...contents) => ({ "@id": id, "@type": "Interface", "@context": "dtmi:dtdl:context;2", contents });
const cell = (speed) => ({ $metadata: { $model: CELL }, speed, probe: { $metadata: {}, value: 0.5 } });

async function models(client) {
  const documents = [
    model(SITE, property("name", "string"), { "@type": "Relationship", name: "has", properties: [property("since", "date")] }),
    model(CELL, property("speed", "double"), property("serial", "string"), { "@type": "Component", name: "probe", schema: PROBE }),
    model(PROBE, property("value", "double")),
  ];
  await refused(400, "DTDLParserError", () => client.createModels([{ "@type": "Interface" }]));
  const created = await client.createModels(documents);
  assert.deepStrictEqual(created.map((entry) => entry.id), [SITE, CELL, PROBE]);
  await refused(409, "ModelAlreadyExists", () => client.createModels(documents));
  assert.strictEqual((await client.getModel(CELL, true)).model["@id"], CELL);
  await refused(404, "ModelNotFound", () => client.getModel("dtmi:every:operation:None;1"));
  const needed = await all(client.listModels([CELL]));
  assert.deepStrictEqual(new Set(needed.map((entry) => entry.id)), new Set([CELL, PROBE]));
  const listed = await all(client.listModels([], true, 2));
  assert.ok([SITE, CELL, PROBE].every((id) => listed.some((entry) => entry.id === id)));
}

async function twins(client) {
  const site = JSON.stringify({ $metadata: { $model: SITE }, name: "A" });
  const made = await client.upsertDigitalTwin("site", site, { ifNoneMatch: "*" });
  assert.ok(made.etag.startsWith('W/"'));
  await refused(412, "PreconditionFailed", () => client.upsertDigitalTwin("site", site, { ifNoneMatch: "*" }));
  for (let index = 0; index < 15; index += 1) await client.upsertDigitalTwin(`cell-${index}`, JSON.stringify(cell(index)));
  await refused(400, "ValidationFailed", () => client.upsertDigitalTwin("x", JSON.stringify({ ...cell(1), other: 1 })));
  const before = await client.getDigitalTwin("cell-0");
  const patched = await client.updateDigitalTwin("cell-0", [{ op: "add", path: "/serial", value: "S" }]);
  assert.notStrictEqual(patched.etag, before.etag);
  const read = await client.getDigitalTwin("cell-0");
  assert.strictEqual(read.body.serial, "S");
  assert.ok(read.body.$metadata.$lastUpdateTime);
  const late = { ifMatch: before.etag };
  await refused(412, "PreconditionFailed", () => client.updateDigitalTwin("cell-0", [{ op: "add", path: "/speed", value: 1 }], late));
  await refused(400, "JsonPatchInvalid", () => client.updateDigitalTwin("cell-1", [{ op: "replace", path: "/serial", value: "S" }]));
  await refused(404, "DigitalTwinNotFound", () => client.getDigitalTwin("none"));
  assert.strictEqual((await client.getComponent("cell-0", "probe")).body.value, 0.5);
  await client.updateComponent("cell-0", "probe", [{ op: "replace", path: "/value", value: 2 }]);
  assert.strictEqual((await client.getComponent("cell-0", "probe")).body.value, 2);
  await refused(400, "JsonPatchInvalid", () => client.updateComponent("cell-0", "none", [{ op: "add", path: "/value", value: 1 }]));
  await client.publishTelemetry("cell-0", { load: 1 }, crypto.randomUUID());
  await client.publishComponentTelemetry("cell-0", "probe", JSON.stringify({ raw: 1 }), crypto.randomUUID());
}

async function relationships(client) {
  const body = (target) => ({ $relationshipName: "has", $targetId: target, since: "2026-01-31" });
  for (let index = 0; index < 15; index += 1) await client.upsertRelationship("site", `r${index}`, body(`cell-${index}`));
  await refused(404, "TargetDigitalTwinNotFound", () => client.upsertRelationship("site", "bad", body("none")));
  await client.updateRelationship("site", "r0", [{ op: "replace", path: "/since", value: "2026-02-01" }]);
  assert.strictEqual((await client.getRelationship("site", "r0")).body.since, "2026-02-01");
  assert.strictEqual((await all(client.listRelationships("site"))).length, 15);
  const incoming = await all(client.listIncomingRelationships("cell-3"));
  assert.deepStrictEqual(incoming.map((entry) => entry.relationshipId), ["r3"]);
  await refused(400, "RelationshipsNotDeleted", () => client.deleteDigitalTwin("cell-3"));
}

async function queries(client) {
  const rows = await all(client.queryTwins(`SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, '${CELL}') AND T.speed > 11`, 2));
  assert.deepStrictEqual(new Set(rows.map((row) => row.$dtId)), new Set(["cell-12", "cell-13", "cell-14"]));
  await refused(400, "SqlQueryError", () => all(client.queryTwins("SELECT this is none")));
}

async function routes(client, endpoint) {
  await refused(400, "EventRouteEndpointInvalid", () => client.upsertEventRoute("every", "no-such-endpoint", "true"));
  await refused(404, "EventRouteNotFound", () => client.getEventRoute("every"));
  if (endpoint) {
    await client.upsertEventRoute("every", endpoint, "type = 'Microsoft.DigitalTwins.Twin.Update'");
    assert.strictEqual((await client.getEventRoute("every")).endpointName, endpoint);
    assert.deepStrictEqual((await all(client.listEventRoutes())).map((route) => route.id), ["every"]);
    await client.deleteEventRoute("every");
  }
  await refused(404, "EventRouteNotFound", () => client.deleteEventRoute("every"));
  assert.deepStrictEqual(await all(client.listEventRoutes()), []);
}

async function leave(client) {
  for (let index = 0; index < 15; index += 1) {
    await client.deleteRelationship("site", `r${index}`);
    await client.deleteDigitalTwin(`cell-${index}`);
  }
  await client.deleteDigitalTwin("site");
  await refused(409, "ModelReferencesNotDecommissioned", () => client.decomissionModel(PROBE));
  await client.decomissionModel(CELL);
  await refused(400, "ModelDecommissioned", () => client.upsertDigitalTwin("late", JSON.stringify(cell(1))));
  await refused(409, "ModelReferencesNotDeleted", () => client.deleteModel(PROBE));
  for (const id of [CELL, PROBE, SITE]) await client.deleteModel(id);
  await refused(404, "ModelNotFound", () => client.getModel(CELL));
}

async function main() {
  const { values } = parseArgs({
    options: { url: { type: "string" }, "token-file": { type: "string" }, endpoint: { type: "string" } },
  });
  const credential = (token) => ({ getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3600000 }) });
  const stranger = new DigitalTwinsClient(values.url, credential("made-up"));
  await refused(401, undefined, () => stranger.getDigitalTwin("site"));
  const token = fs.readFileSync(values["token-file"], "utf8").trim();
  const client = counted(new DigitalTwinsClient(values.url, credential(token)));
  await models(client);
  await twins(client);
  await relationships(client);
  await queries(client);
  await routes(client, values.endpoint);
  await leave(client);
  console.log(`${operations.size} operations of the client hold: ${[...operations].sort().join(", ")}`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
