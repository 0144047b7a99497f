#!/usr/bin/env python3
"""A plant of the ISA-95 ontology through Microsoft's own client: all models in one call, 1,000 twins, 3,000 relationships,
and what JOIN and MATCH answer held against the graph that was sent.

    python3 tests/isa95.py ONTOLOGY --url https://localhost:8444 --token-file DATA/twins/token --ca DATA/certs/ca.pem

Needs azure-digitaltwins-core 1.3. ONTOLOGY is a folder of DTDL files (digitaltwinconsortium/ManufacturingOntologies); it is
not part of the project: without it the script says so and ends well.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import random
import sys
import time

from azure.core.credentials import AccessToken
from azure.digitaltwins.core import DigitalTwinsClient

TWINS, RELATIONSHIPS = 1_000, 3_000


class StaticToken:
    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.token, int(time.time()) + 3600)


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


class Ontology:
    """Just enough of the models to know what may be related to what."""

    def __init__(self, models):
        self.models = {model["@id"]: model for model in models}

    def ancestors(self, model):
        """The model and all it extends."""
        found, open_ = set(), [model]
        while open_:
            at = open_.pop()
            if at in found or at not in self.models:
                continue
            found.add(at)
            for base in listed(self.models[at].get("extends")):
                open_.append(base if isinstance(base, str) else base["@id"])
        return found

    def relationships(self, model):
        """Name and target of every relationship, inherited ones too."""
        for at in self.ancestors(model):
            for element in listed(self.models[at].get("contents")):
                if "Relationship" in listed(element.get("@type")) and not element.get("properties"):
                    yield element["name"], element.get("target")


def plan(ontology, chance):
    """Twins (id: model) and relationships (source, name, target)."""
    related = {model: sorted(set(ontology.relationships(model)), key=str) for model in ontology.models}
    ancestors = {model: ontology.ancestors(model) for model in ontology.models}
    components = {
        model
        for model in ontology.models
        for at in ancestors[model]
        if any("Component" in listed(element.get("@type")) for element in listed(ontology.models[at].get("contents")))
    }
    fit = sorted(model for model in ontology.models if model not in components)
    twins = {f"isa95-{number:04}": fit[number % len(fit)] for number in range(TWINS)}
    by_kind = collections.defaultdict(list)
    for twin, model in twins.items():
        for kind in ancestors[model]:
            by_kind[kind].append(twin)
    names = sorted(twins)
    possible = [
        (source, name, target)
        for source in names
        for name, kind in related[twins[source]]
        for target in (by_kind.get(kind, []) if kind else names)
    ]
    # In no order: the service takes ten writes a second of one twin.
    return twins, chance.sample(possible, RELATIONSHIPS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ontology", type=pathlib.Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", type=pathlib.Path, required=True)
    parser.add_argument("--ca", required=True)
    options = parser.parse_args()
    files = sorted(options.ontology.rglob("*.json"))
    if not files:
        print(f"skipped: no DTDL files in {options.ontology}")
        return 0
    models = [model for file in files for model in listed(json.loads(file.read_text()))]
    token = options.token_file.read_text().strip()
    client = DigitalTwinsClient(options.url, StaticToken(token), connection_verify=options.ca)
    started = time.monotonic()
    client.create_models(models)
    print(f"{len(models)} models in one call: {time.monotonic() - started:.2f} s")

    twins, edges = plan(Ontology(models), random.Random(95))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        started = time.monotonic()
        list(pool.map(lambda twin: client.upsert_digital_twin(twin[0], {"$metadata": {"$model": twin[1]}}), twins.items()))
        print(f"{len(twins)} twins: {time.monotonic() - started:.1f} s")
        started = time.monotonic()

        def relate(numbered):
            number, (source, name, target) = numbered
            body = {"$targetId": target, "$relationshipName": name}
            client.upsert_relationship(source, f"edge-{number}", body)

        list(pool.map(relate, enumerate(edges)))
        print(f"{len(edges)} relationships: {time.monotonic() - started:.1f} s")

    def ask(query):
        started = time.monotonic()
        rows = list(client.query_twins(query))
        return rows, (time.monotonic() - started) * 1e3

    count = ask("SELECT COUNT() FROM RELATIONSHIPS R WHERE STARTSWITH(R.$sourceId, 'isa95-')")[0][0]["COUNT"]
    assert count == len(edges), f"{count} relationships, {len(edges)} were sent"
    leaving = collections.defaultdict(list)
    for source, name, target in edges:
        leaving[source].append((name, target))
    times = collections.defaultdict(list)
    for source in sorted(leaving)[:50]:
        name = leaving[source][0][0]
        one = sorted(target for other, target in leaving[source] if other == name)
        rows, took = ask(f"SELECT T.$dtId FROM DIGITALTWINS S JOIN T RELATED S.{name} R WHERE S.$dtId = '{source}'")
        times["JOIN"].append(took)
        assert sorted(row["$dtId"] for row in rows) == one, f"JOIN from {source}: {rows}, expected {one}"
        two = {(middle, far) for _, middle in leaving[source] for _, far in leaving[middle]}
        rows, took = ask(f"SELECT M.$dtId AS m, F.$dtId AS f FROM DIGITALTWINS MATCH (S)-[]->(M)-[]->(F) WHERE S.$dtId = '{source}'")
        times["MATCH"].append(took)
        found = {(row["m"], row["f"]) for row in rows}
        # A pattern does not walk one relationship twice.
        two = {(m, f) for m, f in two if m != source or f != source or len(leaving[source]) > 1}
        assert found == two, f"MATCH from {source}: {len(found)} pairs, expected {len(two)}"
    for kind, all_ in times.items():
        all_.sort()
        print(f"{kind}: 50 of 50 answers as expected, median {all_[25]:.1f} ms, slowest {all_[-1]:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
