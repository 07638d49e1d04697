"""Checks a sidecar against docs/sidecar.schema.json, by as much of JSON Schema as stands in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.conftest import ROOT

SCHEMA = json.loads((ROOT / "docs" / "sidecar.schema.json").read_text())
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
         "null": type(None)}  # fmt: skip
KNOWN = {"$schema", "title", "description", "type", "required", "oneOf", "additionalProperties", "properties", "const",
         "pattern", "minimum", "items", "enum", "$ref", "$defs"}  # fmt: skip


def read_sidecar(path: Path) -> dict:
    """What stands in it, checked."""
    found = json.loads(path.read_text())
    check(found, SCHEMA, "sidecar")
    return found


def check(value, schema, place) -> None:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    assert set(schema) <= KNOWN, f"{place}: the schema says more than this file knows"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or isinstance(value, tuple(TYPES[k] for k in kinds)), f"{place}: is no {kinds}"
    assert value == schema.get("const", value), place
    assert value in schema.get("enum", [value]), place
    assert re.search(schema.get("pattern", ""), value if isinstance(value, str) else ""), f"{place}: {value}"
    assert "minimum" not in schema or value >= schema["minimum"], place
    if "oneOf" in schema:
        assert sum(set(one["required"]) <= set(value) for one in schema["oneOf"]) == 1, place
    if isinstance(value, dict):
        missing = set(schema.get("required", ())) - set(value)
        assert not missing, f"{place}: lacks {missing}"
        known = schema.get("properties", {})
        assert schema.get("additionalProperties", True) or set(value) <= set(known), place
        for key in set(value) & set(known):
            check(value[key], known[key], f"{place}.{key}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            check(item, schema["items"], f"{place}[{i}]")
