#!/usr/bin/env python3
"""Checks infra/ without a cloud: does it parse, does it hang together, does it keep the project's rules?

There is no Bicep compiler among the package registries, so the part of its work that catches most mistakes (module
parameters, outputs, unused names) is done here; checkov judges the security of what is declared. Nothing is fetched.

Usage: check.py [ROOT]; exit code 0 when all is well, 1 with a list of problems. Needs Python 3.11 and tests/infra/requirements.txt.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from bicep import REFERENCE, Bicep, body

# checkov's checks that do not apply, each with the reason. A check is skipped for all files, so the reason has to hold
# for all of them.
SKIPPED = {
    # No virtual network: devices, browsers and Flex Consumption reach these resources over the internet, and every one
    # of them is gated by identity. A plant that wants private endpoints adds them with its own network.
    "CKV_AZURE_35": "storage: the app has no address that a firewall could name",
    "CKV_AZURE_59": "storage: same; anonymous access is off (allowBlobPublicAccess)",
    "CKV_AZURE_109": "key vault: same; access is by role assignment",
    "CKV_AZURE_189": "key vault: same",
    "CKV_AZURE_222": "function app: serves the dashboard; requests need a function key",
    # Storage.
    "CKV_AZURE_206": "asks for geo-replication; zone redundancy is our default, geo-redundancy a parameter's value away",
    # The vault holds what a deployment can write again, at any time.
    "CKV_AZURE_110": "purge protection would forbid deleting and re-creating an environment for a week",
    "CKV_AZURE_42": "asks for purge protection too; soft delete is on",
    "CKV_AZURE_41": "a secret that expires stops ingest on a day nobody chose; rotation is a deployment",
    "CKV_AZURE_114": "checkov sees no properties on conditional resources; content types are checked below",
    # App Service features that a function app on Flex Consumption does not have.
    "CKV_AZURE_78": "Flex Consumption has no FTP",
    "CKV_AZURE_212": "Flex Consumption scales by itself; ingestAlwaysReady keeps instances warm",
    "CKV_AZURE_213": "the host watches its handler; there is no health check path to set",
    "CKV_AZURE_225": "zone redundancy of the plan triples the smallest bill; no batch is lost with an instance",
    "CKV_AZURE_17": "browsers and scripts come with function keys, not client certificates",
    "CKV_AZURE_13": "function keys guard the API; sign-in for people is the plant's own choice of provider",
    # These take the resource of app settings for a web app's configuration.
    "CKV_AZURE_63": "HTTP logging: Application Insights has every request",
    "CKV_AZURE_65": "detailed error pages: same",
    "CKV_AZURE_66": "failed request tracing: same",
    "CKV_AZURE_80": ".NET version: there is no .NET code",
    "CKV_AZURE_88": "Azure Files: the package is in a blob container",
}

# The one file that may read a key; it says why.
KEY_READER = "app/key-vault.bicep"
FORBIDDEN = {
    r"(?i)\blist(account)?(keys|secrets|sas|credentials)\b|\.list\w+\(": "reads a key",
    r"(?i)(account|sharedaccess)key\s*=|sharedaccesssignature\s*=": "builds a connection string",
    r"allowSharedKeyAccess:\s*true": "switches account keys on",
    r"allowBlobPublicAccess:\s*true": "lets anybody read blobs",
    r"httpsOnly:\s*false|supportsHttpsTrafficOnly:\s*false": "lets unencrypted requests in",
    r"(?i)DefaultEndpointsProtocol": "builds a storage connection string",
}
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
QUEUE = "Microsoft.Storage/storageAccounts/queueServices/queues"
CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers"
SECRET = "Microsoft.KeyVault/vaults/secrets"
# Roles that would make every other line of rbac.bicep pointless.
TOO_WIDE = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
}


class Report:
    """Collects problems, and prints each check as it is done."""

    def __init__(self):
        self.failed = 0

    def add(self, title: str, problems: list[str]) -> None:
        print(f"{'FAIL' if problems else 'ok  '} {title}")
        for problem in problems:
            print(f"       {problem}")
        self.failed += len(problems)


def parse(infra: Path, report: Report) -> dict[str, Bicep]:
    files, problems = {}, []
    for path in sorted(infra.rglob("*.bicep")):
        name = path.relative_to(infra).as_posix()
        try:
            files[name] = Bicep(path)
        except Exception as error:  # the parser raises whatever its grammar engine raises
            problems.append(f"{name}: {str(error).splitlines()[0]}")
    if not files and not problems:
        problems.append("no .bicep file found")
    report.add(f"{len(files)} Bicep files parse", problems)
    return files


def json_files(root: Path, infra: Path, report: Report) -> None:
    paths = [*infra.rglob("*.json"), root / "host.json", *root.glob("functions/*/function.json")]
    problems, models = [], []
    for path in sorted(paths):
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            problems.append(f"{path.relative_to(root)}: {error}")
            continue
        if path.parent == infra / "models":
            interfaces = read if isinstance(read, list) else [read]
            models += [one.get("@id") for one in interfaces]
            if any(one.get("@type") != "Interface" or "@context" not in one for one in interfaces):
                problems.append(f"{path.relative_to(root)}: not a DTDL interface (@type, @context)")
    if not models or None in models or len(models) != len(set(models)):
        problems.append("infra/models: each model needs an @id of its own")
    report.add(f"{len(paths)} JSON files are valid, {len(models)} models among them", problems)


def modules(files: dict[str, Bicep], report: Report) -> None:
    problems, count = [], 0
    for name, file in files.items():
        outputs = {}
        for symbol, module in file.section("modules").items():
            count += 1
            target = (Path(name).parent / module["detail"]["path"]).as_posix()
            if target not in files:
                problems.append(f"{name}: module {symbol} names {target}, which is not there")
                continue
            given = set(body(module).get("params") or {})
            known = set(files[target].section("parameters"))
            problems += [f"{name}: {target} has no parameter {one}" for one in sorted(given - known)]
            missing = files[target].required() - given
            problems += [f"{name}: {target} needs the parameter {one}" for one in sorted(missing)]
            outputs[symbol] = set(files[target].section("outputs"))
        for symbol, output in REFERENCE.findall(file.code):
            if output not in outputs.get(symbol, set()):
                problems.append(f"{name}: {symbol} has no output {output}")
    used = {(Path(n).parent / m["detail"]["path"]).as_posix() for n, f in files.items() for m in f.section("modules").values()}
    problems += [f"{name}: no module uses it" for name in sorted(set(files) - used - {"main.bicep"})]
    report.add(f"{count} modules get the parameters they declare, and their outputs exist", problems)


def parameters(infra: Path, files: dict[str, Bicep], report: Report) -> None:
    problems, count = [], 0
    for name, file in files.items():
        for kind in ("parameters", "outputs"):
            for symbol, one in file.section(kind).items():
                count += 1
                described = any(decorator["type"] == "description" for decorator in one["decorators"])
                if not described and not (kind == "outputs" and name == "main.bicep"):
                    problems.append(f"{name}: {symbol} has no @description")
        problems += [f"{name}: nothing reads {symbol}" for symbol in sorted(file.unused())]
        if not file.text.startswith("// "):
            problems.append(f"{name}: begin with a comment that says what the file is for")
    main = files["main.bicep"]
    given = set(json.loads((infra / "main.parameters.json").read_text(encoding="utf-8"))["parameters"])
    problems += [f"main.parameters.json: main.bicep has no parameter {one}" for one in sorted(given - set(main.section("parameters")))]
    problems += [f"main.parameters.json: {one} is missing" for one in sorted(main.required() - given)]
    report.add(f"{count} parameters and outputs are described, and used", problems)


def keys(files: dict[str, Bicep], report: Report) -> None:
    problems = []
    for name, file in files.items():
        for pattern, what in FORBIDDEN.items():
            found = re.findall(pattern, file.code)
            if found and not (name == KEY_READER and what in ("reads a key", "builds a connection string")):
                problems.append(f"{name}: {what}; use an identity")
    reader = files.get(KEY_READER)
    reads = len(re.findall(r"(?i)\blistkeys\(", reader.code)) if reader else 0
    if reads != 1:
        problems.append(f"{KEY_READER}: one key is read there, for the hub's endpoint; found {reads}")
    for file in files.values():
        for symbol, secret in file.resources(SECRET).items():
            if not body(secret)["properties"].get("contentType"):
                problems.append(f"{file.path.name}: {symbol} needs a contentType")
    report.add(f"no keys or connection strings, but the one that {KEY_READER} explains", problems)


def roles(files: dict[str, Bicep], report: Report) -> None:
    problems, count = [], 0
    for name, file in files.items():
        found = file.resources(ASSIGNMENT)
        if name != "app/rbac.bicep":
            problems += [f"{name}: move the role assignment {one} to app/rbac.bicep" for one in found]
            continue
        count = len(found)
        for symbol, assignment in found.items():
            config = body(assignment)
            if not config.get("scope"):
                problems.append(f"{name}: {symbol} is on the whole group; give it a scope")
            if not config["properties"].get("principalType"):
                problems.append(f"{name}: {symbol} needs a principalType, or it fails while the principal is new")
        problems += [f"{name}: the role {role} is too wide" for role_id, role in TOO_WIDE.items() if role_id in file.text.lower()]
    if not count:
        problems.append("app/rbac.bicep: no role assignment found")
    report.add(f"{count} role assignments, all in app/rbac.bicep, each on one resource", problems)


def settings(root: Path, files: dict[str, Bicep], report: Report) -> None:
    defaults = tomllib.loads((root / "crates/app/src/config/defaults.toml").read_text(encoding="utf-8"))
    known = {"TWINWRIGHT_HUB"} if "hub" in defaults else set()
    for section, values in defaults.items():
        if isinstance(values, dict):
            known |= {f"TWINWRIGHT_{section}__{key}".upper().replace("-", "_") for key in values}
    code = files["app/functions.bicep"].code
    used = set(re.findall(r"\bTWINWRIGHT_\w+", code))
    problems = [f"functions.bicep: {one} is not a setting of defaults.toml" for one in sorted(used - known)]
    # What function.json asks the host for: %NAME%, and the names of connections.
    wanted = set()
    for path in root.glob("functions/*/function.json"):
        text = path.read_text(encoding="utf-8")
        wanted |= set(re.findall(r"%(\w+)%", text)) | set(re.findall(r'"connection":\s*"(\w+)"', text))
    for name in sorted(wanted):
        if not re.search(rf"^\s*{name}(__\w+)?:", code, re.MULTILINE):
            problems.append(f"functions.bicep: function.json needs the app setting {name}")
    report.add(f"{len(used)} settings of the app and {len(wanted)} of its bindings are known", problems)


def storage(root: Path, files: dict[str, Bicep], report: Report) -> None:
    wanted = set()
    for path in root.glob("functions/*/function.json"):
        for binding in json.loads(path.read_text(encoding="utf-8"))["bindings"]:
            if "queueName" in binding:
                wanted.add(binding["queueName"])
                if binding["type"] == "queueTrigger":
                    wanted.add(f"{binding['queueName']}-poison")
    file = files["app/storage.bicep"]
    made = file.names(QUEUE)
    problems = [f"storage.bicep: make the queue {one}; function.json names it" for one in sorted(wanted - made)]
    problems += [f"storage.bicep: no function.json names the queue {one}" for one in sorted(made - wanted)]
    containers = file.names(CONTAINER)
    problems += [f"storage.bicep: make the container {one}" for one in sorted({"history", "deployments"} - containers)]
    report.add(f"{len(made)} queues match function.json, {len(containers)} containers", problems)


def azd(root: Path, files: dict[str, Bicep], report: Report) -> None:
    text = (root / "azure.yaml").read_text(encoding="utf-8")
    outputs = set(files["main.bicep"].section("outputs"))
    # Set by azd itself.
    given = {"AZURE_SUBSCRIPTION_ID", "AZURE_ENV_NAME", "AZURE_PRINCIPAL_ID"}
    used = set(re.findall(r"\$\{?(AZURE_\w+)", text))
    problems = [f"azure.yaml: {one} is no output of main.bicep" for one in sorted(used - outputs - given)]
    if "azd-env-name" not in files["main.bicep"].code:
        problems.append("main.bicep: tag the group with azd-env-name, or azd does not find it")
    report.add(f"azure.yaml uses {len(used)} variables that exist", problems)


def checkov(infra: Path, report: Report) -> None:
    command = [sys.executable, "-m", "checkov.main", "--directory", str(infra), "--framework", "bicep"]
    command += ["--skip-download", "--compact", "--quiet", "--output", "json", "--skip-check", ",".join(SKIPPED)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    try:
        read = json.loads(done.stdout)
        read = read[0] if isinstance(read, list) else read
        failed, summary = read["results"]["failed_checks"], read["summary"]
    except (ValueError, KeyError, IndexError):
        report.add("checkov", [f"no report, exit code {done.returncode}: {done.stderr.strip()[-400:]}"])
        return
    problems = [f"{one['file_path'].lstrip('/')}: {one['resource']}: {one['check_id']} {one['check_name']}" for one in failed]
    if summary["parsing_errors"]:
        problems.append(f"checkov could not read {summary['parsing_errors']} files")
    if not summary["passed"]:
        problems.append("checkov checked nothing")
    report.add(f"checkov: {summary['passed']} checks pass, {len(SKIPPED)} skipped for a listed reason", problems)


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    infra, report = root / "infra", Report()
    files = parse(infra, report)
    json_files(root, infra, report)
    if report.failed == 0:
        modules(files, report)
        parameters(infra, files, report)
        keys(files, report)
        roles(files, report)
        settings(root, files, report)
        storage(root, files, report)
        azd(root, files, report)
        checkov(infra, report)
    print(f"infra: {report.failed} problems" if report.failed else "infra: no problems")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
