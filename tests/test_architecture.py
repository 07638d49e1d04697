"""The house stays as it is drawn: import direction, and what the wheel holds."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

# A folder or file of the package may import only what stands before it in this list, or itself; see CONTRIBUTING.md.
LAYERS = (
    "errors", "stored", "atomic", "options", "color", "pictures", "models", "backends", "video", "provenance",
    "companions", "merge", "shots", "temporal", "conditions", "frames", "stills", "film", "api", "live", "cli",
    "__main__",
)  # fmt: skip
OUTSIDE = ("vidcolor", "training", "benchmarks", "engines")  # and these the same way
PURE = ("vidcolor.color", "vidcolor.merge.chroma", "vidcolor.temporal", "vidcolor.shots.detector",
        "vidcolor.shots.dissolves", "vidcolor.shots.similarity")  # fmt: skip
HEAVY = {"torch", "openvino", "onnx", "onnxruntime"}
FILE_LINES, FUNCTION_LINES, PARAMETERS = 350, 60, 7  # at most, in vidcolor/


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


def room(name: str) -> tuple[int, int]:
    """Where module `name` stands: its package, and the folder or file of vidcolor that it lies in."""
    package, *parts = name.split(".")
    return OUTSIDE.index(package), LAYERS.index(parts[0]) if package == "vidcolor" and parts else -1


MODULES = dict(modules())


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way(name):
    own = room(name)
    if name == "vidcolor":
        return  # imports for type checkers only
    for imported in imports(MODULES[name]):
        if imported in MODULES and imported not in (name, "vidcolor"):
            assert room(imported) <= own, f"{name} imports {imported}"


def test_no_circle_of_imports():
    """Not even within a folder."""
    edges = {n: {m for m in imports(p) if m in MODULES and m not in (n, "vidcolor")} for n, p in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, f"a circle: {' -> '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, [*path, name])
            done.add(name)

    for name in edges:
        if name != "vidcolor":
            visit(name, [])


def test_the_core_knows_no_codec_and_no_concrete_backend():
    for name, path in MODULES.items():
        if name.split(".")[1:2] in (["frames"], ["stills"], ["film"]):
            assert not any(m.startswith("vidcolor.backends.") and m in MODULES for m in imports(path)), name
        if name.startswith(PURE):
            assert not any(m.split(".")[0] in {"av", "PIL"} | HEAVY for m in imports(path)), name


def test_engines_are_imported_only_where_they_are_run():
    light = {"vidcolor.backends", "vidcolor.backends.cache", "vidcolor.backends.shapes"}
    backends = {m for m in MODULES if m.startswith("vidcolor.backends.")}
    models = {m for m in MODULES if m.startswith("vidcolor.models.")} - {
        "vidcolor.models.files",
        "vidcolor.models.config",
    }
    allowed = models | {"vidcolor.merge.tensors", "vidcolor.merge.compiled", "vidcolor.frames.card"} | backends - light
    for name, path in MODULES.items():
        if name.startswith("vidcolor") and name not in allowed:
            assert not {m.split(".")[0] for m in imports(path, top_level=True)} & HEAVY, name


PACKAGE = [path for name, path in MODULES.items() if name.split(".")[0] == "vidcolor"]


def functions():
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def test_files_are_short():
    long = {
        str(path.relative_to(ROOT)): n for path in PACKAGE if (n := len(path.read_text().splitlines())) > FILE_LINES
    }
    assert not long


def test_functions_are_short():
    lengths = {name: node.end_lineno - node.lineno + 1 for name, node in functions()}
    assert not {name: n for name, n in lengths.items() if n > FUNCTION_LINES}


def test_functions_take_few_parameters():
    def count(given: ast.arguments) -> int:
        listed = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        return sum(a is not None and a.arg not in ("self", "cls") for a in listed)

    assert not {name: n for name, node in functions() if (n := count(node.args)) > PARAMETERS}


def test_every_folder_says_what_it_is_for():
    said = {}
    for folder in sorted({path.parent for path in PACKAGE}):
        assert (folder / "__init__.py").exists(), folder
        docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
        said[folder.name] = docstring.splitlines()[0] if docstring else ""
    vague = {name: first for name, first in said.items() if len(first.split()) < 5 or not first.endswith(".")}
    assert not vague
    assert len(set(said.values())) == len(said)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names} == {"vidcolor", "vidcolor-0.1.0.dist-info"}
    assert "vidcolor/models/weights/vidcolor-default.onnx" in names
    assert "vidcolor/models/weights/MODEL_CARD.md" in names
    assert "vidcolor/py.typed" in names  # says that the annotations are meant for others too
    assert wheel.stat().st_size < 40e6


def test_the_runtime_needs_no_torch(wheel):
    metadata = next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("METADATA"))
    needs = [
        line for line in zipfile.ZipFile(wheel).read(metadata).decode().splitlines() if line.startswith("Requires-Dist")
    ]
    plain = [n for n in needs if "extra ==" not in n]
    assert plain
    assert not any("torch" in n for n in plain)
