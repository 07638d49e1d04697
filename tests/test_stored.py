import pytest

from vidcolor.film.recipe import SourceFacts
from vidcolor.stored import fraction, made, parse


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": NaN}', '"\\ud800"', '"a\\u0000b"', "9" * 5000, "", b"\xff"])
def test_refuses_what_no_file_of_ours_holds(text):
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


def test_names_that_are_no_utf8_come_back():
    assert parse('"\\udcff.mkv"') == "\udcff.mkv"


@pytest.mark.parametrize("text", ["1e9999999", "1/0", "x", "1" * 100, None])
def test_no_fraction(text):
    with pytest.raises(ValueError, match=r"[Ff]raction"):
        fraction(text)


@pytest.mark.parametrize("change", [{"size": []}, {"size": True}, {"name": None}, {"extra": 1}])
def test_values_have_the_types_that_the_class_says(change):
    values = {"name": "a", "size": 1, "modified": 2, "digest": "d"}
    assert made(SourceFacts, values).size == 1
    with pytest.raises(TypeError):
        made(SourceFacts, values | change)
