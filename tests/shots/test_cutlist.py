import io
import json
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLE
from vidcolor.errors import OptionError, OutputError
from vidcolor.shots.cutlist import Shot, ShotList, read_shots, write_shots
from vidcolor.shots.sheet import PAGE, shot_sheet, time_code

NTSC = Fraction(24000, 1001)
SCENES = """Timecode List:,00:00:02.544,00:00:04.046
Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame,End Timecode,End Time (seconds),Length (frames)
1,1,00:00:00.000,0.000,61,00:00:02.544,2.544,61
2,62,00:00:02.544,2.544,97,00:00:04.046,4.046,36
"""


def made():
    return ShotList.of_starts([(0, "first"), (61, "cut"), (97, "dissolve")], 140, source="Größe.mp4", rate=NTSC)


def test_a_written_list_is_read_back_and_says_what_it_is(tmp_path):
    path = tmp_path / "shots.json"
    write_shots(path, made())
    assert read_shots(path) == made()
    content = json.loads(path.read_text())
    assert content["format"] == "vidcolor shots 1"
    assert content["rate"] == "24000/1001"
    assert content["shots"][1] == {"start": 61, "end": 97, "start_time": 2.544208, "kind": "cut"}
    assert [p.name for p in tmp_path.iterdir()] == ["shots.json"]


def test_nothing_is_left_where_a_list_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match=r"folder does not exist|cannot be written"):
        write_shots(tmp_path / "missing" / "shots.json", made())
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"folder does not exist|cannot be written"):
        write_shots(tmp_path / "folder", made())
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(("text", "starts"), [("[62, 98]", [0, 62, 98]), ("[0, 62]", [0, 62]), (SCENES, [0, 61])])
def test_other_lists_are_read(tmp_path, text, starts):
    path = tmp_path / "cuts"
    path.write_text(text)
    assert read_shots(path).starts == starts


def test_a_scene_list_of_pyscenedetect_is_read_with_its_times(tmp_path):
    scenedetect = pytest.importorskip("scenedetect")
    output = pytest.importorskip("scenedetect.output")
    path = tmp_path / "scenes.csv"
    codes = [scenedetect.FrameTimecode(n, fps=24.0) for n in (0, 61, 97)]
    with path.open("w") as file:
        output.write_scene_list(file, list(pairwise(codes)))
    assert read_shots(path).shots == (Shot(0, 61, 0.0, "first"), Shot(61, 97, 2.542, "cut"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "neither JSON nor"),
        ("{", "damaged JSON"),
        ("[" * 100_000, "damaged JSON"),
        ('{"format": "EDL"}', "has format 'EDL'"),
        ('{"format": "vidcolor shots 1"}', 'no list "shots"'),
        ('{"format": "vidcolor shots 1", "shots": []}', "names no shot"),
        ('{"format": "vidcolor shots 1", "shots": [3]}', "shot 1 is not an object"),
        ('{"format": "vidcolor shots 1", "rate": "24/0", "shots": [{"start": 0}]}', '"rate" is'),
        ('{"format": "vidcolor shots 1", "shots": [{"start": 0, "kind": "wipe"}]}', "one of first, cut, dissolve"),
        ('{"format": "vidcolor shots 1", "shots": [{"start": 0, "start_time": -1}]}', "seconds from 0"),
        ('{"format": "vidcolor shots 1", "shots": [{"start": 5}]}', "must start at 0"),
        ('{"format": "vidcolor shots 1", "shots": [{"start": 0, "end": 4}, {"start": 5}]}', "make them meet"),
        ('{"format": "vidcolor shots 1", "shot": []}', '"shot" is not known; did you mean "shots"?'),
        (
            '{"format": "vidcolor shots 1", "fps": "24", "shots": [{"start": 0}]}',
            '"fps" is not known; use format, source, rate, shots',
        ),
        (
            '{"format": "vidcolor shots 1", "shots": [{"start": 0}, {"start": 9, "knid": "dissolve"}]}',
            '"knid" of shot 2 is not known; did you mean "kind"?',
        ),
        ("[62, 62]", "put them in order"),
        ("[98, 62]", "put them in order"),
        ("[1.5]", "give a frame number"),
        ("[true]", "give a frame number"),
        (SCENES.replace(",62,", ",x,"), "scene 2"),
    ],
)
def test_a_faulty_list_is_refused_in_one_line(tmp_path, text, fault):
    path = tmp_path / "faulty.json"
    path.write_text(text)
    with pytest.raises(OptionError, match=r"faulty\.json: ") as caught:
        read_shots(path)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_no_file_or_no_text_is_refused(tmp_path):
    with pytest.raises(OptionError, match="No such file"):
        read_shots(tmp_path / "none.json")
    (tmp_path / "film.mp4").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="UTF-8"):
        read_shots(tmp_path / "film.mp4")


def test_the_sheet_shows_every_shot_on_a4_pages():
    with av.open(str(SAMPLE)) as container:
        frames = [f.to_ndarray(format="rgb24") for f, _ in zip(container.decode(video=0), range(90), strict=False)]
    shots = ShotList.of_starts([(i, "cut" if i else "first") for i in range(90)], 90, source="film", rate=NTSC)
    pages = shot_sheet(frames, shots)
    assert len(pages) > 1
    page = Image.open(io.BytesIO(pages[0]))
    assert (page.size, page.format) == (PAGE, "PNG")
    assert PAGE[1] / PAGE[0] == pytest.approx(2**0.5, rel=1e-3)
    assert np.asarray(page)[160:200, 80:300].mean() < 250  # a picture where the first one belongs
    assert Image.open(io.BytesIO(shot_sheet(frames, shots, form="JPEG")[-1])).format == "JPEG"
    with pytest.raises(ValueError, match="one for each"):
        shot_sheet(frames[:3], shots)


def test_time_codes():
    assert time_code(Shot(24 * 3661 + 7), NTSC) == "01:01:01:07"
    assert time_code(Shot(61, start_time=2.5449), None) == "00:00:02.545"
    assert time_code(Shot(61), None) == "frame 61"
