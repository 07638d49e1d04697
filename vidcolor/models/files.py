"""The shipped model, and what a model file says about itself."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, BinaryIO

from vidcolor import stored
from vidcolor.errors import ModelError

DEFAULT = "vidcolor-default.onnx"
METADATA_FIELD = 14  # ModelProto.metadata_props in onnx.proto
MOST = 1 << 24  # bytes of an entry of the metadata


@dataclass(frozen=True)
class ModelIdentity:
    """By what a model is known; empty where that is not told."""

    name: str = ""
    sha256: str = ""  # of the weights


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file of ours, with its metadata read and checked."""

    path: Path
    metadata: dict[str, str]

    @property
    def stride(self) -> int:
        """Network pixels along one side of an a*b* grid cell."""
        return int(self.metadata["stride"])

    @property
    def identity(self) -> ModelIdentity:
        """Its name and the digest of its weights."""
        return ModelIdentity(self.metadata.get("name", ""), self.metadata.get("sha256", ""))

    @property
    def takes_conditions(self) -> bool:
        """Whether it has a second input, "conditions": what is known of the colour."""
        return self.metadata.get("conditions") == "1"

    @property
    def logits(self) -> str | None:
        """The tensor in its graph that holds the distribution over colour bins; None where it has none or says none."""
        return self.metadata.get("logits")

    @property
    def int8(self) -> Path:
        """Where OpenVINO's file of the same network in 8-bit integers would be; its weights are in a .bin beside it."""
        return self.path.with_name(f"{self.path.stem}-int8.xml")

    @property
    def config(self) -> dict[str, Any]:
        """The GeneratorConfig as a dict."""
        config: dict[str, Any] = stored.parse(self.metadata["config"])
        return config


def open_model(path: Path | None = None) -> ModelFile:
    """The model at `path`, or the shipped one.

    Raises:
        ModelError: it is missing, no ONNX file, or was not exported by vidcolor.
    """
    if path is None:
        with as_file(files(__package__) / "weights" / DEFAULT) as shipped:
            path = Path(shipped)
    try:
        metadata = read_metadata(path)
    except (ValueError, OverflowError):  # a field that is no text, or longer than any file
        metadata = {}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); give an ONNX file made by vidcolor") from error
    if not metadata.get("format", "").startswith("vidcolor 1"):
        raise ModelError(f"{path}: was not made by vidcolor; give an ONNX file exported by its training")
    found = ModelFile(path, metadata)
    try:
        sound = found.stride > 0 and isinstance(found.config, dict)
    except (KeyError, ValueError):
        sound = False
    if not sound:
        raise ModelError(f"{path}: its metadata is damaged; copy or export it again")
    return found


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata_props of an ONNX file, without loading its weights; empty where `path` is something else.

    A protobuf message is a row of fields, each a tag and a value; top-level fields of no interest are skipped over.
    """
    found = {}
    with open(path, "rb") as file:
        while (tag := read_varint(file)) is not None:
            field, wire = tag >> 3, tag & 7
            if wire == 0:
                read_varint(file)
            elif wire == 2 and (size := read_varint(file)) is not None:
                if field == METADATA_FIELD and size > MOST:
                    return {}
                if field == METADATA_FIELD:
                    key, value = read_strings(file.read(size))
                    found[key] = value
                else:
                    file.seek(size, 1)
            else:
                return {}
    return found


def read_varint(file: BinaryIO) -> int | None:
    """A protobuf number; None at the end of the file, or where it is too long."""
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return value
        if shift > 63:
            return None
    return None


def read_strings(entry: bytes) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto: field 1 and field 2, both strings."""
    file, parts = io.BytesIO(entry), {1: "", 2: ""}
    while (tag := read_varint(file)) is not None:
        parts[tag >> 3] = file.read(read_varint(file) or 0).decode()
    return parts[1], parts[2]
