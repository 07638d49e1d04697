"""What is public: named in `__all__`, documented, imported lightly, and enough for the README's example."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

import vidcolor
from tests.conftest import ROOT, SAMPLE
from tests.films import make_grey
from tests.films import read as read_film

MODULES = ("vidcolor", "vidcolor.errors", "vidcolor.options", "vidcolor.api", "vidcolor.backends")


def own(thing: type):
    """Public methods and properties that a class defines."""
    for name, member in vars(thing).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, (property, classmethod))):
            yield name, member


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_there_and_has_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__all__ == sorted(module.__all__)
    for public in module.__all__:
        thing = getattr(module, public)
        assert inspect.getdoc(thing), f"{name}.{public}"
        assert not (inspect.isclass(thing) and thing.__doc__.startswith(f"{public}(")), f"{public}: the dataclass's own"
        for member, value in own(thing) if inspect.isclass(thing) else ():
            assert inspect.getdoc(value), f"{name}.{public}.{member}"


def test_the_import_of_the_package_is_light():
    heavy = "av cv2 numpy openvino torch PIL"
    code = (
        f"import sys, vidcolor; assert not set({heavy.split()}) & set(sys.modules); assert vidcolor.errors.InputError"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'colorise'"):
        vidcolor.colorise  # noqa: B018


def test_the_example_of_the_readme_runs_on_public_names(tmp_path, monkeypatch):
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    assert set(re.findall(r"vidcolor\.(\w+)", example)) <= set(vidcolor.__all__)
    make_grey(SAMPLE, tmp_path / "in.mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    grey = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (96, 1))
    known = {"grey": grey, "frames": [grey, grey]}
    exec(example, known)
    assert len(read_film(tmp_path / "out.mp4").frames) == 2
    assert known["rgb"].shape == known["frame"].shape == (96, 128, 3)
