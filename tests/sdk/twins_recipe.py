#!/usr/bin/env python3
"""Builds the recipe's plant through Microsoft's own client and reads it back.

Usage: twins_recipe.py --url https://localhost:8444 --token-file FILE --ca FILE

Needs azure-digitaltwins-core 1.3. The client is unmodified: it gets a certificate to trust and a credential that
returns the service's token. Leaves the models and twins in place unless --clean is given. Exit code 0 when all holds.
"""

import argparse
import time
from pathlib import Path

from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.digitaltwins.core import DigitalTwinsClient

LINE = "dtmi:manufacturing:ProductionLine;1"
EQUIPMENT = "dtmi:manufacturing:Equipment;1"


def part(kind, name, **rest):
    return {"@type": kind, "name": name, **rest}


MODELS = [
    {
        "@id": LINE,
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;2",
        "displayName": "Production Line",
        "description": "Manufacturing production line with multiple equipment",
        "contents": [
            part("Property", "lineId", schema="string"),
            part("Property", "status", schema="string"),
            part("Telemetry", "efficiency", schema="double"),
            part("Telemetry", "throughput", schema="integer"),
            part("Relationship", "contains", target=EQUIPMENT),
        ],
    },
    {
        "@id": EQUIPMENT,
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;2",
        "displayName": "Manufacturing Equipment",
        "description": "Individual piece of manufacturing equipment",
        "contents": [
            part("Property", "equipmentId", schema="string"),
            part("Property", "equipmentType", schema="string"),
            part("Telemetry", "temperature", schema="double"),
            part("Telemetry", "vibration", schema="double"),
            part("Telemetry", "pressure", schema="double"),
            part("Command", "emergencyStop", description="Emergency stop command for equipment"),
        ],
    },
]

TWINS = {
    "production-line-a": (LINE, {"lineId": "LINE-A-001", "status": "operational"}),
    "robotic-arm-001": (EQUIPMENT, {"equipmentId": "ARM-001", "equipmentType": "robotic-assembly"}),
    "conveyor-belt-001": (EQUIPMENT, {"equipmentId": "CVR-001", "equipmentType": "conveyor-transport"}),
}

RELATIONSHIPS = {"contains-arm": "robotic-arm-001", "contains-conveyor": "conveyor-belt-001"}


class StaticToken:
    """A credential that always returns the same token."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.token, int(time.time()) + 3600)


def refused(status, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except HttpResponseError as error:
        assert error.status_code == status, f"expected {status}, got {error.status_code}: {error.message}"
        return error
    raise AssertionError(f"expected status {status}, and the call went through")


def create(client):
    try:
        created = client.create_models(MODELS)
        assert [model.id for model in created] == [LINE, EQUIPMENT], created
    except ResourceExistsError:
        print("models exist already")
    for twin_id, (model, properties) in TWINS.items():
        client.upsert_digital_twin(twin_id, {"$metadata": {"$model": model}, **properties})
    for relationship_id, target in RELATIONSHIPS.items():
        client.upsert_relationship(
            "production-line-a",
            relationship_id,
            {"$relationshipId": relationship_id, "$sourceId": "production-line-a",
             "$relationshipName": "contains", "$targetId": target},
        )


def read_back(client):
    model = client.get_model(EQUIPMENT, include_model_definition=True)
    assert model.display_name == {"en": "Manufacturing Equipment"}, model.display_name
    assert any(entry["name"] == "emergencyStop" for entry in model.model["contents"])
    listed = {model.id for model in client.list_models([LINE])}
    assert listed == {LINE}, listed
    for twin_id, (model, properties) in TWINS.items():
        twin = client.get_digital_twin(twin_id)
        assert twin["$dtId"] == twin_id and twin["$metadata"]["$model"] == model, twin
        assert all(twin[name] == value for name, value in properties.items()), twin
    found = {entry["$relationshipId"]: entry["$targetId"] for entry in client.list_relationships("production-line-a")}
    assert found == RELATIONSHIPS, found
    incoming = list(client.list_incoming_relationships("robotic-arm-001"))
    assert [entry.relationship_id for entry in incoming] == ["contains-arm"], incoming
    every = {twin["$dtId"] for twin in client.query_twins("SELECT * FROM DIGITALTWINS")}
    assert every >= set(TWINS), every
    machines = list(client.query_twins(f"SELECT T.$dtId FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, '{EQUIPMENT}')"))
    assert {row["$dtId"] for row in machines} >= {"robotic-arm-001", "conveyor-belt-001"}, machines


def change(client):
    before = client.get_digital_twin("production-line-a")
    client.update_digital_twin("production-line-a", [{"op": "replace", "path": "/status", "value": "stopped"}])
    after = client.get_digital_twin("production-line-a")
    assert after["status"] == "stopped" and after["$etag"] != before["$etag"]
    assert after["$metadata"]["lineId"] == before["$metadata"]["lineId"]
    patch = [{"op": "replace", "path": "/status", "value": "operational"}]
    stale = {"etag": before["$etag"], "match_condition": MatchConditions.IfNotModified}
    refused(412, client.update_digital_twin, "production-line-a", patch, **stale)
    fresh = {"etag": after["$etag"], "match_condition": MatchConditions.IfNotModified}
    client.update_digital_twin("production-line-a", patch, **fresh)
    wrong = refused(400, client.update_digital_twin, "production-line-a", [{"op": "add", "path": "/status", "value": 5}])
    assert wrong.error.code == "ValidationFailed", wrong.error
    client.publish_telemetry("robotic-arm-001", {"temperature": 45.2, "vibration": 2.5, "pressure": 120})
    refused(400, client.delete_digital_twin, "robotic-arm-001")
    bad = refused(400, lambda: list(client.query_twins("SELECT foo")))
    assert bad.error.code == "SqlQueryError", bad.error
    try:
        client.get_digital_twin("no-such-twin")
        raise AssertionError("a twin that does not exist was read")
    except ResourceNotFoundError:
        pass


def clean(client):
    for relationship_id in RELATIONSHIPS:
        client.delete_relationship("production-line-a", relationship_id)
    for twin_id in TWINS:
        client.delete_digital_twin(twin_id)
    client.decommission_model(LINE)
    for model in (LINE, EQUIPMENT):
        client.delete_model(model)
    assert not list(client.list_models())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True, type=Path)
    parser.add_argument("--ca", required=True, help="certificate to trust, as PEM")
    parser.add_argument("--clean", action="store_true", help="delete everything at the end")
    options = parser.parse_args()
    token = options.token_file.read_text().strip()
    client = DigitalTwinsClient(options.url, StaticToken(token), connection_verify=options.ca)
    stranger = DigitalTwinsClient(options.url, StaticToken("wrong"), connection_verify=options.ca)
    refused(401, stranger.get_digital_twin, "production-line-a")
    create(client)
    read_back(client)
    change(client)
    if options.clean:
        clean(client)
    print(f"2 models, {len(TWINS)} twins and {len(RELATIONSHIPS)} relationships were created and read back")


if __name__ == "__main__":
    main()
