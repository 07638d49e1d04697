"""The house stays as it is drawn: import direction, and what the wheel holds."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

# A module may import only what stands before it in this list, or on its own line.
LAYERS = [
    {"vidcolor"},  # the public face: lazy imports only
    {"vidcolor.errors", "vidcolor.backoff"},
    {
        "vidcolor.options",
        "vidcolor.summary",
        "vidcolor.jobs",
        "vidcolor.target",
        "vidcolor.shotlist",
        "vidcolor.shotsheet",
    },
    {"vidcolor.color", "vidcolor.weights", "vidcolor.model", "vidcolor.terminal"},
    {
        "vidcolor.preview",
        "vidcolor.chroma",
        "vidcolor.smoothing",
        "vidcolor.shots",
        "vidcolor.deflicker",
        "vidcolor.tensors",
        "vidcolor.dissolves",
        "vidcolor.likeness",
    },
    {"vidcolor.steady", "vidcolor.shotreport"},
    {"vidcolor.video", "vidcolor.backends"},
    {"vidcolor.pipeline", "vidcolor.image", "vidcolor.card"},
    {"vidcolor.api", "vidcolor.info", "vidcolor.engines"},
    {"vidcolor.live"},
    {"vidcolor.cli"},
    {"vidcolor.__main__"},
    {"training"},
    {"benchmarks"},
    {"engines"},
]
PURE = ("vidcolor.color", "vidcolor.chroma", "vidcolor.smoothing", "vidcolor.shots", "vidcolor.steady",
        "vidcolor.preview", "vidcolor.dissolves", "vidcolor.likeness")  # fmt: skip
HEAVY = {"torch", "openvino", "onnx", "onnxruntime"}


def modules():
    for folder in ("vidcolor", "training", "engines", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path, *, top_level: bool = False):
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name: str) -> int | None:
    """The deepest layer that `name` lies in."""
    found = [(len(prefix), i) for i, names in enumerate(LAYERS) for prefix in names
             if name == prefix or (prefix != "vidcolor" and name.startswith(prefix + "."))]  # fmt: skip
    return max(found)[1] if found else None


MODULES = dict(modules())


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way(name):
    own = layer(name)
    assert own is not None, f"{name} has no place in the house"
    if name == "vidcolor":
        return  # imports for type checkers only, see the next test
    for imported in imports(MODULES[name]):
        if imported in MODULES and imported != name:
            assert layer(imported) <= own, f"{name} imports {imported}"


def test_the_pipeline_knows_no_concrete_backend_and_the_core_no_codec():
    for name in ("vidcolor.pipeline", "vidcolor.image"):
        assert not any(m.startswith("vidcolor.backends.") and m in MODULES for m in imports(MODULES[name]))
    for name in PURE:
        assert not any(m.split(".")[0] in {"av", "PIL"} | HEAVY for m in imports(MODULES[name])), name


def test_engines_are_imported_only_where_they_are_run():
    light = {"vidcolor.backends", "vidcolor.backends.cache", "vidcolor.backends.shapes"}
    backends = {m for m in MODULES if m.startswith("vidcolor.backends.")}
    allowed = {"vidcolor.model", "vidcolor.tensors", "vidcolor.card"} | backends - light
    for name, path in MODULES.items():
        if name.startswith("vidcolor") and name not in allowed:
            assert not {m.split(".")[0] for m in imports(path, top_level=True)} & HEAVY, name


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names} == {"vidcolor", "vidcolor-0.1.0.dist-info"}
    assert "vidcolor/weights/vidcolor-default.onnx" in names
    assert "vidcolor/weights/MODEL_CARD.md" in names
    assert wheel.stat().st_size < 40e6


def test_the_runtime_needs_no_torch(wheel):
    metadata = next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("METADATA"))
    needs = [
        line for line in zipfile.ZipFile(wheel).read(metadata).decode().splitlines() if line.startswith("Requires-Dist")
    ]
    plain = [n for n in needs if "extra ==" not in n]
    assert plain
    assert not any("torch" in n for n in plain)
