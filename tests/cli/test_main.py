"""The command line as a user meets it: real processes, real files."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.commands import vidcolor
from tests.conftest import ROOT, SAMPLE
from tests.films import read
from vidcolor.cli import jobs, serve, webcam
from vidcolor.cli.colorize import make_parser
from vidcolor.cli.values import seconds
from vidcolor.errors import OptionError
from vidcolor.film.batch import plan_batch

SHOWS = {"": "--strength", "webcam": "--video-size", "serve": "--token", "jobs": "clean", "references": "--cover"}


@pytest.mark.parametrize(("command", "shows"), SHOWS.items())
def test_help_imports_no_engine_and_no_codec(command, shows):
    script = (
        "import sys, vidcolor.cli.main\n"
        f"try: vidcolor.cli.main.main({[*command.split(), '--help']})\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in ('torch', 'openvino', 'av', 'cv2', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("LOADED []\n")
    assert shows in done.stdout


def test_a_file_needs_neither_torch_nor_a_network(tmp_path):
    script = (
        "import sys, vidcolor.cli.main\n"
        f"code = vidcolor.cli.main.main(['--backend', 'openvino', '-q', '--size', '64', {str(SAMPLE)!r},"
        f" '-o', {str(tmp_path / 'o.mp4')!r}, '--end', '0.2'])\n"
        "print(code, [m for m in ('torch', 'http.client') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"


def test_films_and_stills_mixed_one_bad(tmp_path, short_film):
    for name in ("a.png", "b.jpg"):
        Image.new("L", (40, 30), 90).save(tmp_path / name)
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    out = tmp_path / "out"
    done = vidcolor(tmp_path / "a.png", tmp_path / "bad.mp4", short_film, tmp_path / "b.jpg", "-o", out, "--size", 64)
    assert done.returncode == 1
    assert sorted(p.name for p in out.iterdir()) == [".vidcolor.jsonl", "a.png", "b.jpg", short_film.name]
    faults = [line for line in done.stderr.splitlines() if line.startswith("vidcolor:")]
    assert len(faults) == 1
    assert "bad.mp4" in faults[0]
    assert "3 done, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_summary_and_nothing_else(tmp_path, short_film):
    done = vidcolor(short_film, tmp_path / "gone.mp4", "-o", tmp_path / "out", "--json", "--size", 64)
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert summary["files"][0]["frames"] == 12
    assert set(summary["files"][0]["busy"]) >= {"decode", "network", "merge", "encode"}
    assert "gone.mp4" in summary["failed"][0]["error"]
    assert len(done.stderr.splitlines()) == 1


def test_quiet_is_quiet_and_a_second_run_needs_y(tmp_path, short_film):
    target = tmp_path / "out.mp4"
    first = vidcolor(short_film, "-o", target, "-q", "--size", 64)
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    again = vidcolor(short_film, "-o", target, "-q", "--size", 64)
    assert again.returncode == 1
    assert "add -y" in again.stderr
    assert vidcolor(short_film, "-o", target, "-q", "-y", "--size", 64).returncode == 0


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--strength", "9"),
        ("--codec", "cinepak"),
        ("--start", "soon"),
        ("--end", "inf"),
        ("--end", "nan"),
        ("--start", "5", "--end", "2"),
        ("--nope",),
    ],
)
def test_wrong_usage_exits_2(args):
    done = vidcolor("film.mp4", *args) if args else vidcolor()
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_no_half_file_and_no_traceback(tmp_path, grey):
    target = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "vidcolor", str(grey(SAMPLE)), "-o", str(target), "--every", "1", "--size", "512"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background inherits SIG_IGN
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None, "the film was done before it could be stopped"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in stderr
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_progress_is_plain_lines(tmp_path, grey):
    done = vidcolor(grey(SAMPLE), "-o", tmp_path / "out.mp4", "--size", 64)
    assert "\x1b" not in done.stderr
    assert re.search(r"185 frames in [\d.]+ s, [\d.]+ fps, slowest: \w+", done.stderr)


def test_the_default_target_lies_beside_its_source(tmp_path, short_film):
    source = tmp_path / "reel.mp4"
    source.write_bytes(short_film.read_bytes())
    assert vidcolor(source, "-q", "--size", 64).returncode == 0
    assert len(read(tmp_path / "reel-color.mp4").frames) == 12


def test_info_names_versions_backends_and_model():
    facts = json.loads(vidcolor("info", "--json").stdout)
    assert facts["backends"]["openvino"] == "ready"
    assert facts["auto"]["backend"] in facts["backends"]
    assert facts["model"]["metrics"]["psnr"] > 23
    text = vidcolor("info").stdout
    assert "model licence" in text


def test_an_output_folder_is_made_for_a_single_file_too(tmp_path, short_film):
    done = vidcolor(short_film, "-o", f"{tmp_path}/new/deep/", "-q", "--size", 64)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "new" / "deep" / short_film.name).exists()


def test_plan(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.mp4", "deep/b.avi", "deep/c.jpg", "notes.txt", ".hidden.mp4"):
        (tmp_path / "in" / name).touch()
    jobs = plan_batch([str(tmp_path / "in")], str(tmp_path / "out")).jobs
    assert [str(j.target.relative_to(tmp_path / "out")) for j in jobs] == ["a.mp4", "deep/b.mkv", "deep/c.jpg"]
    assert plan_batch(["x.mp4"], "y.mkv").jobs[0].target.name == "y.mkv"
    assert plan_batch(["x.webm"], None, "ffv1").jobs[0].target.name == "x-color.mkv"
    assert plan_batch(["x.jp2"], None).jobs[0].target.name == "x-color.png"
    with pytest.raises(OptionError, match="several sources"):
        plan_batch(["a.mp4", "b.mp4"], "out.mp4")
    with pytest.raises(OptionError, match="would both become"):
        plan_batch(["one/a.mp4", "two/a.mp4"], "out/")
    (tmp_path / "none").mkdir()
    with pytest.raises(OptionError, match="holds no film"):
        plan_batch([str(tmp_path / "none")], None)


@pytest.mark.parametrize(("text", "value"), [("83.5", 83.5), ("1:23.5", 83.5), ("0:01:23.5", 83.5), ("1:00:00", 3600)])
def test_times(text, value):
    assert seconds(text) == value


def test_every_option_and_command_in_the_readme_exists():
    text = (ROOT / "README.md").read_text()
    parsers = {"webcam": webcam.make_parser(), "serve": serve.make_parser(), "jobs": jobs.make_parser()}
    commands = re.findall(r"^vidcolor (\S.*?)\s*(?:#.*)?$", text, re.MULTILINE)
    assert {c.split()[0] for c in commands} >= {"info", "engines", *parsers}
    for command in commands:
        first, *rest = shlex.split(command)
        if first in parsers:
            parsers[first].parse_args(rest)
        elif first not in ("info", "engines"):
            make_parser().parse_args([first, *rest])
    for target in re.findall(r"\]\(((?!http)[^)#]+)", text):
        assert (ROOT / target).exists(), target
