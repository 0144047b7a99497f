"""Reads Bicep files: the parser's tree where it says enough, the text where it does not."""

import re
from pathlib import Path

import pycep

COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
STRING = re.compile(r"'(?:\\.|[^'\\])*'")
REFERENCE = re.compile(r"\b([A-Za-z_]\w*)\.outputs\.([A-Za-z_]\w*)")


class Bicep:
    """One parsed file."""

    def __init__(self, path: Path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tree = pycep.BicepParser().parse(text=self.text)

    @property
    def code(self) -> str:
        """The text without comment lines, so that a comment may name what code must not hold."""
        return COMMENT.sub("", self.text)

    def section(self, name: str) -> dict:
        return self.tree.get(name) or {}

    def resources(self, kind: str) -> dict:
        """Resources of a type that this file creates, by symbol; those it only refers to are left out."""
        found = self.section("resources").items()
        return {name: one for name, one in found if one["type"].lower() == kind.lower() and not one["existing"]}

    def names(self, kind: str) -> set[str]:
        """Names of the resources of a type, loops over literal lists and variables included."""
        names = set()
        for one in self.resources(kind).values():
            loop = one["config"].get("loop_type")
            if loop is None:
                names.add(self.value(body(one)["name"]))
            else:
                names.update(self.value(item) for item in loop["detail"]["array_name"])
        return names

    def value(self, text: str) -> str:
        """A variable's literal value, or the text itself."""
        variable = self.section("variables").get(text)
        return variable["value"] if variable else text

    def required(self) -> set[str]:
        return {name for name, one in self.section("parameters").items() if one.get("default") is None}

    def unused(self) -> set[str]:
        """Parameters and variables that nothing reads."""
        plain = STRING.sub(lambda found: " ".join(re.findall(r"\$\{([^}]*)\}", found.group())), self.code)
        declared = set(self.section("parameters")) | set(self.section("variables"))
        return {name for name in declared if len(re.findall(rf"(?<![.\w]){name}\b(?!:)", plain)) < 2}


def body(resource: dict) -> dict:
    """The properties of a resource, out of the wrapping that loops and conditions add."""
    config = resource["config"]
    while "config" in config and ("condition" in config or "loop_type" in config):
        config = config["config"]
    return config
