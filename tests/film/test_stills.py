"""The frames of a film that are worth colouring: as few as motion needs, none that is faded, mixed or blurred."""

import hashlib
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from tests.commands import vidcolor
from vidcolor.cli.main import main
from vidcolor.conditions import suggest
from vidcolor.conditions.reference import number_of
from vidcolor.conditions.suggest import ShotStills, Still, Suggester, most
from vidcolor.film.stills import write_stills
from vidcolor.video.reader import Reader

WIDTH, HEIGHT = 192, 128


def scene(seed: int, width: int = WIDTH) -> np.ndarray:
    """A picture of noise with edges, uint8 luma of limited range."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(30, 220, (8, width // 16)).astype(np.float32)
    fine = rng.uniform(-25, 25, (HEIGHT // 4, width // 4)).astype(np.float32)
    size = (width, HEIGHT)
    made = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC) + cv2.resize(fine, size)
    return made.clip(16, 235).astype(np.uint8)


def write(path: Path, frames: list[np.ndarray], codec: str = "ffv1") -> Path:
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=24)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "gray"
        for i, luma in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
            frame.pts = i
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def pan(seed: int, count: int, step: int) -> list[np.ndarray]:
    wide = scene(seed, WIDTH + count * step)
    return [wide[:, i * step : i * step + WIDTH] for i in range(count)]


def found(path: Path, folder: Path, **options) -> dict:
    return write_stills(str(path), lambda: Reader(path, packets=False), folder, **options).contents


def test_one_still_for_a_shot_that_stands_and_more_for_one_that_moves_on(tmp_path):
    film = write(tmp_path / "film.mkv", [scene(1)] * 30 + pan(2, 60, 8))
    done = vidcolor("references", film, "-o", tmp_path / "refs")
    assert done.returncode == 0, done.stderr
    contents = json.loads((tmp_path / "refs" / "refs.json").read_text())
    first, second = contents["shots"]
    assert (first["start"], first["end"], second["end"]) == (0, 30, 90)
    assert len(first["stills"]) == 1
    assert first["covered"] == 1
    assert 2 <= len(second["stills"]) <= 5
    assert second["covered"] >= 0.9
    with Reader(film, packets=False) as reader:
        shown = [frame.to_ndarray() for frame in reader]
    for still in contents["stills"]:
        path = tmp_path / "refs" / still["file"]
        assert number_of(path.stem) == still["frame"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == still["sha256"]
        picture = Image.open(path)
        assert picture.mode == "L"
        wanted = np.rint(
            (shown[still["frame"]].astype(float) - 16).clip(0) / 219 * 255
        )  # the source is of limited range
        np.testing.assert_array_equal(np.asarray(picture), wanted)
    assert (tmp_path / "refs" / "sheet.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((tmp_path / "refs").iterdir())) == len(contents["stills"]) + 2
    few = found(film, tmp_path / "few", count=2)
    assert [len(shot["stills"]) for shot in few["shots"]] == [1, 1]


def test_no_still_is_faded_mixed_or_blurred(tmp_path):
    one, two, three = (scene(seed).astype(np.float32) for seed in (3, 4, 5))
    fade = [(one * share).clip(16).astype(np.uint8) for share in np.linspace(0, 1, 48)]
    dissolve = [(one + (two - one) * share).astype(np.uint8) for share in np.linspace(0, 1, 16)]
    blurred = [cv2.GaussianBlur(three, (0, 0), 4).astype(np.uint8)] * 40
    frames = fade + [fade[-1]] * 12 + dissolve + [dissolve[-1]] * 36 + blurred + [three.astype(np.uint8)] * 8
    contents = found(write(tmp_path / "film.mkv", frames), tmp_path / "refs")
    numbers = [still["frame"] for still in contents["stills"]]
    assert len(numbers) >= 3
    for number in numbers:
        assert 30 <= number < 60 or 76 <= number < 112 or number >= 152


def test_candidates_are_near_the_best_of_their_shot():
    none = np.zeros((1, 1))
    facts = [(3, 1.0), (25, 1.0), (36, 1.0), (40, 0.5), (40, 1.0), (39, 0.7)]  # contrast and sharpness
    samples = [suggest.Sample(6 * i, none, none, none, *fact) for i, fact in enumerate(facts)]
    assert suggest.usable(samples, 0, 99) == [2, 4, 5]
    assert suggest.usable(samples, 13, 24) == [4]
    assert suggest.usable(samples, 0, 5) == []


def test_a_blank_shot_is_told_and_a_blank_film_refused(tmp_path):
    black = [np.full((HEIGHT, WIDTH), 16, np.uint8)] * 30
    made = write_stills(
        "film.mkv", lambda: Reader(write(tmp_path / "film.mkv", black + [scene(1)] * 30), packets=False),
        tmp_path / "refs", kinds={0: "first", 30: "cut"},
    )  # fmt: skip
    assert [still["shot"] for still in made.contents["stills"]] == [2]
    assert "no still of shot 1 (frames 0 to 29)" in made.warnings[0]
    done = vidcolor("references", write(tmp_path / "black.mkv", black), "-o", tmp_path / "none")
    assert done.returncode == 1
    assert "has no frame that can be coloured" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_a_long_shot_takes_no_more_memory_and_is_covered_as_well(monkeypatch):
    frames = [x.astype(np.float32) / 2.55 for x in pan(6, 120, 4)]

    def suggested():
        suggester = Suggester(24, 0.9)
        shots = [shot for i, x in enumerate(frames) for shot in suggester.push(i, x, "" if i else "first")]
        most_held = len(suggester.samples)
        return [*shots, *suggester.finish()][0], most_held

    fine, _ = suggested()
    monkeypatch.setattr(suggest, "HELD", 10)
    coarse, held = suggested()
    assert held <= 10
    assert len(coarse.stills) == len(fine.stills)
    assert coarse.covered == pytest.approx(fine.covered, abs=0.08)


def test_most_keeps_what_covers_most_of_the_film():
    long = ShotStills(0, 99, (Still(50, 0.6), Still(10, 0.1), Still(90, 0.2)))
    short = ShotStills(100, 109, (Still(105, 0.95),))
    assert [[s.number for s in x.stills] for x in most([long, short], 1)] == [[50], []]
    assert [[s.number for s in x.stills] for x in most([long, short], 3)] == [[50, 10, 90], []]
    assert most([long, short], 9) == [long, short]


def test_bad_input_is_one_line_and_touches_nothing(tmp_path, capsys):
    film = write(tmp_path / "film.mkv", [scene(1)] * 10)
    Image.new("L", (64, 64), 90).save(tmp_path / "still.png")
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    new = tmp_path / "new"
    for arguments, fault, status in (
        ([film, "-o", full], "holds something already", 1),
        ([film, "-o", full / "mine.txt"], "is a file", 1),
        ([film, "-o", new, "--cover", "1.5"], "cover 1.5", 2),
        ([film, "-o", new, "--cover", "nan"], "cover nan", 2),
        ([film, "-o", new, "--most", "0"], "most 0", 2),
        ([tmp_path / "still.png", "-o", new], "is a still", 1),
        ([tmp_path / "bad.mp4", "-o", new], "bad.mp4", 1),
        ([tmp_path / "none.mp4", "-o", new], "none.mp4", 1),
    ):
        assert main(["references", *map(str, arguments)]) == status, arguments
        said = capsys.readouterr().err
        assert fault in said
        assert len(said.splitlines()) == 1
    assert not new.exists()
    assert [p.name for p in full.iterdir()] == ["mine.txt"]
    assert main(["references", str(film), "-o", str(full), "-y", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out) == json.loads((full / "refs.json").read_text())
    assert (full / "mine.txt").read_text() == "mine"
