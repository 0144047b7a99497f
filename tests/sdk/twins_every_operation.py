#!/usr/bin/env python3
"""Every operation of the Azure Digital Twins data plane through Microsoft's own Python client.

Usage: twins_every_operation.py --url https://localhost:8444 --token-file FILE --ca FILE [--endpoint NAME] [--imports FOLDER]

Needs azure-digitaltwins-core 1.3 and an instance that nobody else uses. --endpoint names a configured endpoint for event
routes; --imports names the folder that import jobs of the instance may use. Without them those parts only check that the
service refuses what it must. Ends with a line that counts the operations; exit code 0 when all holds.
"""

import argparse
import json
import time
import uuid
from pathlib import Path

from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.digitaltwins.core import DigitalTwinsClient, DigitalTwinsEventRoute

RUN = uuid.uuid4().hex[:8]
SITE, CELL, PROBE = (f"dtmi:every:operation:{name}{RUN};1" for name in ("Site", "Cell", "Probe"))
OPERATIONS = set()


class StaticToken:
    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.token, int(time.time()) + 3600)


class Counted:
    """Passes calls on to the client and notes which operations were used."""

    def __init__(self, target, prefix=""):
        self._target, self._prefix = target, prefix

    def __getattr__(self, name):
        OPERATIONS.add(self._prefix + name)
        return getattr(self._target, name)


def refused(status, code, call, *arguments, **options):
    try:
        answer = call(*arguments, **options)
        if hasattr(answer, "__next__"):
            list(answer)
    except HttpResponseError as error:
        found = (error.status_code, error.error.code if error.error else None)
        assert found == (status, code), f"expected {(status, code)}, got {found}: {error.message}"
        return error
    raise AssertionError(f"expected {status} {code}, and the call went through")


def interface(model_id, *contents):
    return {"@id": model_id, "@type": "Interface", "@context": "dtmi:dtdl:context;2", "displayName": model_id.split(":")[-1],
            "contents": list(contents)}


def prop(name, schema):
    return {"@type": "Property", "name": name, "schema": schema}


def models(client):
    documents = [
        interface(SITE, prop("name", "string"), {"@type": "Relationship", "name": "has", "properties": [prop("since", "date")]}),
        interface(CELL, prop("speed", "double"), prop("serial", "string"), {"@type": "Telemetry", "name": "load", "schema": "double"},
                  prop("place", {"@type": "Object", "fields": [{"name": "hall", "schema": "string"}]}),
                  {"@type": "Component", "name": "probe", "schema": PROBE}),
        interface(PROBE, prop("value", "double"), {"@type": "Telemetry", "name": "raw", "schema": "double"}),
    ]
    refused(400, "DTDLParserError", client.create_models, [{"@type": "Interface", "@context": "dtmi:dtdl:context;2"}])
    refused(400, "InvalidArgument", client.create_models, [])
    created = client.create_models(documents)
    assert [model.id for model in created] == [SITE, CELL, PROBE] and created[0].decommissioned is False
    try:
        client.create_models(documents[:1])
        raise AssertionError("a model was created twice")
    except ResourceExistsError as error:
        assert error.error.code == "ModelAlreadyExists", error
    read = client.get_model(CELL, include_model_definition=True)
    assert read.model["@id"] == CELL and read.display_name == {"en": CELL.split(":")[-1]} and read.upload_time.tzinfo
    assert client.get_model(CELL).model is None
    refused(404, "ModelNotFound", client.get_model, "dtmi:every:operation:None;1")
    assert {model.id for model in client.list_models([CELL])} == {CELL, PROBE}
    found = [model.id for model in client.list_models(include_model_definition=True)]
    assert set(found) >= {SITE, CELL, PROBE} and len(found) == len(set(found))


def cell(speed):
    return {"$metadata": {"$model": CELL}, "speed": speed, "probe": {"$metadata": {}, "value": 0.5}}


def twins(client):
    unmatched = {"match_condition": MatchConditions.IfMissing}
    site = client.upsert_digital_twin("site", {"$metadata": {"$model": SITE}, "name": "A"}, **unmatched)
    assert site["$dtId"] == "site" and site["$etag"].startswith('W/"') and site["$metadata"]["name"]["lastUpdateTime"].endswith("Z")
    refused(412, "PreconditionFailed", client.upsert_digital_twin, "site", {"$metadata": {"$model": SITE}}, **unmatched)
    for index in range(25):
        client.upsert_digital_twin(f"cell-{index:02}", cell(index))
    broken = refused(400, "ValidationFailed", client.upsert_digital_twin, "x", {**cell(1), "speed": "fast", "other": 1})
    assert len(broken.error.details) == 2, broken.error.details
    refused(400, "ValidationFailed", client.upsert_digital_twin, "x", {"$metadata": {"$model": "dtmi:no:such;1"}})
    read = client.get_digital_twin("cell-00")
    client.update_digital_twin("cell-00", [{"op": "add", "path": "/serial", "value": "S"}, {"op": "replace", "path": "/probe/value", "value": 2}])
    after = client.get_digital_twin("cell-00")
    assert after["serial"] == "S" and after["probe"]["value"] == 2 and after["$etag"] != read["$etag"]
    stale = {"etag": read["$etag"], "match_condition": MatchConditions.IfNotModified}
    refused(412, "PreconditionFailed", client.update_digital_twin, "cell-00", [{"op": "add", "path": "/speed", "value": 1}], **stale)
    refused(400, "JsonPatchInvalid", client.update_digital_twin, "cell-00", [{"op": "replace", "path": "/place", "value": {}}])
    refused(400, "JsonPatchInvalid", client.update_digital_twin, "cell-00", [{"op": "move", "path": "/speed", "from": "/serial"}])
    refused(400, "ValidationFailed", client.update_digital_twin, "cell-00", [{"op": "add", "path": "/speed", "value": "x"}])
    source = [{"op": "add", "path": "/$metadata/speed/sourceTime", "value": "2026-01-31T12:00:00Z"}]
    client.update_digital_twin("cell-00", source)
    assert client.get_digital_twin("cell-00")["$metadata"]["speed"]["sourceTime"].startswith("2026-01-31T12:00:00")
    client.update_digital_twin("cell-00", [{"op": "remove", "path": "/serial"}])
    assert "serial" not in client.get_digital_twin("cell-00")
    refused(404, "DigitalTwinNotFound", client.get_digital_twin, "none")


def components(client):
    part = client.get_component("cell-01", "probe")
    assert part["value"] == 0.5 and "$lastUpdateTime" in part["$metadata"] and "$model" not in part["$metadata"]
    client.update_component("cell-01", "probe", [{"op": "replace", "path": "/value", "value": 0.75}])
    assert client.get_component("cell-01", "probe")["value"] == 0.75
    refused(404, "ComponentNotFound", client.get_component, "cell-01", "none")
    refused(400, "JsonPatchInvalid", client.update_component, "cell-01", "none", [{"op": "add", "path": "/value", "value": 1}])
    refused(400, "JsonPatchInvalid", client.update_component, "cell-01", "probe", [{}])
    client.publish_telemetry("cell-01", {"load": 3})
    client.publish_component_telemetry("cell-01", "probe", {"raw": 4}, message_id="m-1")
    refused(404, "ComponentNotFound", client.publish_component_telemetry, "cell-01", "none", {})
    refused(404, "DigitalTwinNotFound", client.publish_telemetry, "none", {})


def relationships(client):
    def body(target):
        return {"$relationshipName": "has", "$targetId": target, "since": "2026-01-31"}

    for index in range(25):
        made = client.upsert_relationship("site", f"r{index:02}", body(f"cell-{index:02}"))
        assert made["$sourceId"] == "site" and made["$relationshipId"] == f"r{index:02}", made
    refused(404, "TargetDigitalTwinNotFound", client.upsert_relationship, "site", "bad", body("none"))
    refused(400, "InvalidRelationship", client.upsert_relationship, "site", "bad", {**body("cell-00"), "$relationshipName": "eats"})
    refused(400, "OperationNotAllowed", client.upsert_relationship, "site", "bad", body("site"))
    refused(400, "InvalidArgument", client.upsert_relationship, "site", "bad", {"$relationshipName": "has"})
    client.update_relationship("site", "r00", [{"op": "replace", "path": "/since", "value": "2026-02-01"}])
    assert client.get_relationship("site", "r00")["since"] == "2026-02-01"
    listed = [entry["$relationshipId"] for entry in client.list_relationships("site")]
    assert sorted(listed) == [f"r{index:02}" for index in range(25)], listed
    assert not list(client.list_relationships("site", relationship_id="eats"))
    incoming = list(client.list_incoming_relationships("cell-03"))
    assert [(entry.relationship_id, entry.source_id) for entry in incoming] == [("r03", "site")], incoming
    refused(400, "RelationshipsNotDeleted", client.delete_digital_twin, "cell-03")
    client.delete_relationship("site", "r24")
    refused(404, "RelationshipNotFound", client.get_relationship, "site", "r24")
    client.delete_digital_twin("cell-24")


def queries(client):
    rows = list(client.query_twins(f"SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, '{CELL}') AND T.speed >= 20"))
    assert {row["$dtId"] for row in rows} == {"cell-20", "cell-21", "cell-22", "cell-23"}, rows
    names = list(client.query_twins("SELECT T.$dtId AS id FROM DIGITALTWINS T WHERE T.name = 'A'"))
    assert names == [{"id": "site"}], names
    refused(400, "SqlQueryError", client.query_twins, "SELECT this is none")


def routes(client, endpoint):
    def route(name, text):
        return DigitalTwinsEventRoute(endpoint_name=name, filter=text)

    refused(400, "EventRouteEndpointInvalid", client.upsert_event_route, "every", route("no-such-endpoint", "true"))
    refused(404, "EventRouteNotFound", client.get_event_route, "every")
    refused(404, "EventRouteNotFound", client.delete_event_route, "every")
    if endpoint:
        refused(400, "EventRouteFilterInvalid", client.upsert_event_route, "every", route(endpoint, "nonsense ="))
        client.upsert_event_route("every", route(endpoint, "type = 'Microsoft.DigitalTwins.Twin.Update'"))
        assert client.get_event_route("every").endpoint_name == endpoint
        assert [found.id for found in client.list_event_routes()] == ["every"]
        client.delete_event_route("every")
    assert not list(client.list_event_routes())


def imports(client, folder):
    jobs = Counted(client._target._client.import_jobs, "import_jobs.")
    refused(404, "JobNotFound", jobs.get_by_id, "none")
    outside = {"inputBlobUri": "file:///etc/hostname", "outputBlobUri": "file:///etc/out"}
    refused(400, "ValidationFailed", jobs.add, f"outside-{RUN}", outside)
    if not folder:
        return
    source, log = folder / f"in-{RUN}.ndjson", folder / f"out-{RUN}.ndjson"
    lines = [{"Section": "Header"}, {"fileVersion": "1.0.0", "author": "suite", "organization": "suite"}, {"Section": "Twins"}]
    lines += [{"$dtId": f"bulk-{index}", **cell(index)} for index in range(50)]
    lines += [{"Section": "Relationships"}]
    lines += [{"$dtId": "site", "$relationshipId": f"b{index}", "$relationshipName": "has", "$targetId": f"bulk-{index}"} for index in range(50)]
    source.write_text("\n".join(json.dumps(line) for line in lines))
    body = {"inputBlobUri": source.as_uri(), "outputBlobUri": log.as_uri()}
    name = f"bulk-{RUN}"
    jobs.add(name, body)
    deadline = time.time() + 60
    while jobs.get_by_id(name).status not in ("succeeded", "failed"):
        assert time.time() < deadline, "the import did not end"
        time.sleep(0.05)
    job = jobs.get_by_id(name)
    assert job.status == "succeeded" and job.finished_date_time and job.purge_date_time, job
    kinds = {json.loads(line)["logType"] for line in log.read_text().splitlines()}
    assert kinds == {"Info"}, kinds
    assert client.get_digital_twin("bulk-49")["speed"] == 49
    assert client.get_relationship("site", "b49")["$targetId"] == "bulk-49"
    refused(409, "JobIdAlreadyExists", jobs.add, name, body)
    assert name in {found.id for found in jobs.list()}
    assert jobs.cancel(name).status == "succeeded"
    jobs.delete(name)
    refused(404, "JobNotFound", jobs.get_by_id, name)


def leave(client):
    jobs = Counted(client._target._client.delete_jobs, "delete_jobs.")
    refused(409, "ModelReferencesNotDecommissioned", client.decommission_model, PROBE)
    client.decommission_model(CELL)
    refused(400, "ModelDecommissioned", client.upsert_digital_twin, "late", cell(1))
    refused(409, "ModelReferencesNotDeleted", client.delete_model, PROBE)
    client.delete_model(CELL)
    refused(404, "ModelNotFound", client.get_model, CELL)
    refused(400, "ValidationFailed", client.update_digital_twin, "cell-00", [{"op": "add", "path": "/speed", "value": 1}])
    assert client.get_digital_twin("cell-00")["speed"] == 0
    jobs.begin_add(polling_interval=0.2).result()
    assert [job.status for job in jobs.list()][-1] == "succeeded"
    assert jobs.get_by_id(next(iter(jobs.list())).id).status == "succeeded"
    refused(404, "DeleteJobNotFound", jobs.get_by_id, "none")
    assert not list(client.list_models())
    assert not list(client.query_twins("SELECT * FROM DIGITALTWINS"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True, type=Path)
    parser.add_argument("--ca", required=True, help="certificate to trust, as PEM")
    parser.add_argument("--endpoint", help="a configured endpoint for event routes")
    parser.add_argument("--imports", type=Path, help="folder that import jobs may use")
    options = parser.parse_args()
    stranger = DigitalTwinsClient(options.url, StaticToken("made-up"), connection_verify=options.ca)
    try:
        stranger.get_digital_twin("site")
        raise AssertionError("a made-up token was taken")
    except HttpResponseError as error:
        assert error.status_code == 401, error
    token = options.token_file.read_text().strip()
    client = Counted(DigitalTwinsClient(options.url, StaticToken(token), connection_verify=options.ca))
    models(client)
    twins(client)
    components(client)
    relationships(client)
    queries(client)
    routes(client, options.endpoint)
    imports(client, options.imports)
    leave(client)
    OPERATIONS.discard("_target")
    print(f"{len(OPERATIONS)} operations of the client hold: {', '.join(sorted(OPERATIONS))}")


if __name__ == "__main__":
    main()
