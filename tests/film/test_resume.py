"""The real command killed at a moment, or without power from then on: the same command gives the same bytes.

`python -m benchmarks resume` does it at many more moments. Each test here colours the film one and a half times, for
nothing less than the command itself can be killed.
"""

import contextlib
import io
import json
import os
import random
import subprocess
import sys

import pytest
from PIL import Image

from benchmarks.resume.cut import Disk, read_log
from benchmarks.resume.film import make_film
from benchmarks.resume.run import OPTIONS, disturbed, undisturbed, watched
from tests.conftest import ROOT
from vidcolor.cli.main import main
from vidcolor.film.names import RECORDS

LINUX = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="moments are told by what Linux says of files")


def color(args) -> tuple[int, str]:
    """The command in this process, which is quicker."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = main(args)
    return status, out.getvalue()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def run(work):
    """An undisturbed run of three segments with sound, subtitles and variable frame rate."""
    return undisturbed(make_film(work / "film.mkv", shots=3), "out.mkv", work / "work")


@LINUX
@pytest.mark.parametrize(
    ("kind", "cut"),
    [("coloured", ""), ("assembled", ""), ("renamed", "worst"), ("named", "chance")],
)
def test_the_same_command_completes_it(run, work, kind, cut):
    assert len(run.ends) == 3
    outcome = disturbed(run, kind, random.Random(f"{kind} {cut}"), work / "work", color=color, cut=cut)
    assert outcome.fault == ""


@LINUX
def test_a_batch_that_is_killed_goes_on(run, tmp_path):
    """Also with the film that is half done."""
    for folder in ("in", "out", "notes"):
        (tmp_path / folder).mkdir()
    os.link(run.film, tmp_path / "in" / "b.mkv")
    for name in ("a.png", "c.png"):
        Image.linear_gradient("L").save(tmp_path / "in" / name)
    command = [str(tmp_path / "in"), "-o", str(tmp_path / "out"), *OPTIONS]
    done = [n for n, event in enumerate(run.events) if event.get("new", "").endswith(".packets")]
    still = 12  # moments that the first still takes at least
    assert watched(command, tmp_path / "out", tmp_path / "notes", done[1] + still) == -9
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [RECORDS, "a.png", "b.mkv.vidcolor"]
    status, told = color(command)
    assert status == 0
    a, b, c = json.loads(told)["files"]
    assert (a["earlier"], b["earlier"], c["earlier"]) == (True, False, False)
    assert b["notes"][0].endswith("frames were done already; going on from there")
    assert (tmp_path / "out" / "b.mkv").read_bytes() == run.data
    assert all(file["earlier"] for file in json.loads(color(command)[1])["files"])


@LINUX
def test_what_a_power_cut_leaves(tmp_path):
    """The model of a disk itself: what is not synced is gone, what lost its name may be back."""
    root, kept = tmp_path / "root", tmp_path / "kept"
    root.mkdir()
    kept.mkdir()
    (root / "old").write_text("old")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom benchmarks.resume.moments import Moments\n"
        "root = Path(sys.argv[1])\nMoments(Path(sys.argv[2]) / 'log', root, 0).install()\n"
        "def sync(path):\n    handle = os.open(path, os.O_RDONLY)\n    os.fsync(handle)\n    os.close(handle)\n"
        "(root / 'named').write_text('named')\nsync(root / 'named')\n(root / 'half').write_text('ha')\n"
        "sync(root / 'half')\nsync(root)\nopen(root / 'half', 'a').write('lf')\n(root / 'lost').write_text('lost')\n"
        "sync(root / 'lost')\nos.replace(root / 'named', root / 'renamed')\nos.unlink(root / 'old')\n"
        "(root / 'deep').mkdir()\n(root / 'deep' / 'file').write_text('x')\nsync(root / 'deep')\n"
    )
    disk = Disk(root)
    subprocess.run([sys.executable, "-c", code, root, kept], check=True, cwd=ROOT)
    disk.replay(read_log(kept / "log"))
    disk.cut(kept, None)
    assert {path.name: path.read_text() for path in root.iterdir()} == {"old": "old", "named": "named", "half": "ha"}
