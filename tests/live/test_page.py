"""The page in a real browser: a film as its camera, real uploads, and what comes back sampled from the screen.

VIDCOLOR_SHOTS=FOLDER keeps pictures of each tab there (see test_page_looks.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SAMPLE
from tests.films import read
from tests.live.browser import browsing, clip, make_camera, make_film, make_still, sample, serving, tab

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")
pytest.importorskip("selenium")

pytestmark = pytest.mark.timeout(300)
COLOURFUL, GREY = 10.0, 3.0  # Hasler and Suesstrunk; coded grey is a little off grey


@pytest.fixture(scope="module")
def address():
    with serving() as url:
        yield url


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    with browsing(make_camera(clip("dog_park"), folder / "camera.mjpeg", frames=60), folder) as made:
        made.folder = folder
        yield made


@pytest.fixture
def page(chromium, address):
    """The page, opened anew; at the end the console must have no word of fault, but the answers that a test allows."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get(address)
    chromium.allowed = []
    yield chromium
    faults = [e["message"] for e in chromium.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    assert not [f for f in faults if not any(a in f for a in chromium.allowed)]


def wait(check: Callable[[], object], what: str, seconds: float = 60.0):
    """The first true answer of `check`."""
    end = time.monotonic() + seconds
    while True:
        if found := check():
            return found
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.1)


def text(page, selector: str) -> str:
    return page.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)


def number(page, selector: str) -> float:
    first = text(page, selector).split(" ")[0]
    return float(first) if first[:1].isdigit() else 0.0


def press(page, selector: str, *keys: str) -> None:
    element = page.find_element("css selector", selector)
    for key in keys:
        element.send_keys(key)


def start_live(page) -> None:
    page.find_element("id", "live-start").click()
    wait(lambda: number(page, "#live-fps") > 3, "frames a second")


def test_the_live_picture_comes_back_coloured_and_alive(page, record_property):
    start_live(page)
    wait(lambda: sample(page, "#live-after")["colourfulness"] > COLOURFUL, "colour")
    seen = [sample(page, "#live-after") for _ in range(6) if time.sleep(0.3) is None]
    assert len({s["digest"] for s in seen}) >= 4  # it moves
    assert all(s["luma"] > 20 for s in seen)  # and is no black picture
    wait(lambda: number(page, "#live-latency") > 0, "the latency")
    assert number(page, "#live-size") == 640
    record_property("live", f"{text(page, '#live-fps')} frames a second, {text(page, '#live-latency')}")

    press(page, "#live-strength", "\ue011")  # Home: 0
    wait(lambda: sample(page, "#live-after")["colourfulness"] < GREY, "grey at strength 0")
    press(page, "#live-strength", "\ue010")  # End: 2
    wait(lambda: sample(page, "#live-after")["colourfulness"] > COLOURFUL, "colour again")

    grey = "return getComputedStyle(document.querySelector('#live-before')).filter"
    assert page.execute_script(grey) == "grayscale(1)"
    press(page, "#before-look", "true")
    assert page.execute_script(grey) == "none"

    page.find_element("id", "live-stop").click()
    assert "off" in text(page, "#live-message")
    assert page.execute_script("return document.querySelector('#live-before').srcObject") is None
    start_live(page)  # the server has let go of the one before: it takes one a visitor
    page.refresh()
    start_live(page)  # and of the page that was left


def test_the_divider_moves_by_keys_and_pointer(page):
    from selenium.webdriver import ActionChains

    start_live(page)
    handle, stage = (page.find_element("css selector", f"#live .{name}") for name in ("handle", "stage"))

    def now() -> int:
        shown = page.execute_script("return getComputedStyle(document.querySelector('#live .after')).clipPath")
        value = int(handle.get_attribute("aria-valuenow"))
        cut = float(shown.removesuffix(")").split()[-1].removesuffix("%").removesuffix("px"))
        assert abs(cut - value) <= 0.5, (shown, value)  # the picture is cut where the slider says
        return value

    for key, expected in (("\ue012", 48), ("\ue014", 50), ("\ue011", 0), ("\ue010", 100), ("\ue00f", 90)):
        handle.send_keys(key)  # left, right, Home, End, Page Down
        assert now() == expected
    width = stage.size["width"]
    ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(-width // 4, 40).perform()
    assert now() in (24, 25, 26)
    ActionChains(page).move_by_offset(-width // 4 - 40, 0).release().perform()  # beyond the edge, still held
    assert now() == 0
    touch = ActionChains(page)
    finger = touch.w3c_actions.add_pointer_input("touch", "finger")
    finger.create_pointer_move(0, 0, 0, stage)
    finger.create_pointer_down(button=0)
    finger.create_pointer_move(200, width // 4, 0, stage)
    finger.create_pointer_up(0)
    touch.w3c_actions.perform()
    assert now() in (74, 75, 76)


RECORD = """
window.seen = { previews: 0, said: [] };
document.addEventListener("load", (event) => { if (event.target.matches?.(".preview")) seen.previews += 1; }, true);
new MutationObserver(() => {
  for (const each of document.querySelectorAll(".status")) seen.said.push(each.textContent);
}).observe(document.body, { subtree: true, childList: true, characterData: true });
"""


def upload(page, kind: str, *paths: Path) -> None:
    tab(page, kind)
    page.find_element("id", f"{kind}-file").send_keys("\n".join(str(p) for p in paths))


def drop(page, selector: str, path: Path) -> None:
    """Drag a file from the desktop onto an element."""
    box = page.find_element("css selector", selector).rect
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        page.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def test_a_film_is_uploaded_coloured_compared_and_downloaded(page, tmp_path):
    film = make_film(SAMPLE, tmp_path / "girl <b>friday.mp4", frames=100)
    page.execute_script(RECORD)
    upload(page, "film", film)
    wait(lambda: page.find_elements("css selector", "#films .card[data-state='done']"), "the film", 120)
    seen = page.execute_script("return seen")
    assert seen["previews"] > 0
    assert any("Sending" in s or "Sent" in s for s in seen["said"])
    assert any("of 100 frames" in s for s in seen["said"]), seen
    assert text(page, "#films .name") == film.name  # as text, not as markup
    assert text(page, "#films .fault") == ""

    ready = (
        "return [...document.querySelectorAll('#films video')].every(v => v.readyState >= 2 && v.videoWidth === 640)"
    )
    wait(lambda: page.execute_script(ready), "both films")
    assert sample(page, "#films .result")["colourfulness"] > COLOURFUL
    assert sample(page, "#films .source")["colourfulness"] < GREY
    page.find_element("css selector", "#films .play").click()
    apart = "return ['.result', '.source'].map(s => document.querySelector('#films ' + s).currentTime)"
    wait(lambda: min(page.execute_script(apart)) > 1.0, "both to play")
    page.find_element("css selector", "#films .play").click()
    wait(lambda: abs(float.__sub__(*map(float, page.execute_script(apart)))) < 0.02, "the same frame in both")
    press(page, "#films .seek", "\ue011")
    wait(lambda: max(page.execute_script(apart)) < 0.02, "both at the start")

    page.find_element("css selector", "#films .mute").click()
    assert page.execute_script("return document.querySelector('#films .result').muted")
    whole = "return document.fullscreenElement?.className ?? ''"
    page.find_element("css selector", "#films .full").click()
    wait(lambda: page.execute_script(whole) == "viewer", "the full screen")
    page.find_element("css selector", "#films .full").click()
    wait(lambda: page.execute_script(whole) == "", "the page again")

    page.refresh()  # the tab and the job are still there
    wait(lambda: page.find_elements("css selector", "#films .card[data-state='done']"), "the job after a reload")
    page.find_element("css selector", "#films .open").click()
    wait(lambda: page.execute_script(ready), "both films after a reload")
    page.find_element("css selector", "#films .download").click()
    wait(lambda: list(page.folder.glob("*-color.mp4")), "the download")
    target = next(page.folder.glob("*-color.mp4"))
    assert len(read(target).times) == 100
    page.find_element("css selector", "#films .remove").click()
    wait(lambda: not page.find_elements("css selector", "#films .card"), "the card to go")
    assert page.execute_script("return fetch('/api/jobs').then(a => a.json())")["jobs"] == []


def test_films_wait_in_line_and_are_cancelled(page, tmp_path):
    films = [make_film(SAMPLE, tmp_path / f"{name}.mp4", frames=1200) for name in ("first", "second")]
    upload(page, "film", *films)
    cards = "#films .card[data-state='{}']"
    wait(lambda: page.find_elements("css selector", cards.format("running")), "the first film to run")
    wait(lambda: page.find_elements("css selector", cards.format("queued")), "the second to wait")
    assert "next in turn" in text(page, cards.format("queued") + " .status")
    for state in ("queued", "running"):
        page.find_element("css selector", cards.format(state) + " .remove").click()
        wait(lambda state=state: not page.find_elements("css selector", cards.format(state)), "it to be gone")
    assert not page.find_elements("css selector", "#films .card")
    assert page.execute_script("return fetch('/api/jobs').then(a => a.json())")["jobs"] == []
    focused = page.execute_script("return document.activeElement.id")
    assert focused == "film-file"  # the keyboard is not lost with the card


def test_an_upload_shows_how_far_it_is_and_is_cancelled(page, tmp_path):
    film = make_film(SAMPLE, tmp_path / "slow.mp4", frames=400)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}  # bytes a second
    page.execute_cdp_cmd("Network.enable", {})
    page.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    try:
        upload(page, "film", film)
        wait(lambda: text(page, "#films .status").startswith("Sending, "), "the upload")
        wait(
            lambda: 0 < float(page.find_element("css selector", "#films progress").get_attribute("value")) < 1,
            "it to move",
        )
        page.find_element("css selector", "#films .remove").click()
        wait(lambda: not page.find_elements("css selector", "#films .card"), "it to be gone")
    finally:
        page.execute_cdp_cmd("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    assert page.execute_script("return fetch('/api/jobs').then(a => a.json())")["jobs"] == []
    assert text(page, "#film-message") == ""


def test_photos_are_coloured_and_a_wrong_file_is_named(page, tmp_path):
    stills = [make_still(clip(name), tmp_path / f"{name}{end}", at=10)
              for name, end in (("beach", ".jpg"), ("dog_park", ".png"))]  # fmt: skip
    upload(page, "photo", *stills)
    done = "#photos .card[data-state='done'] .result"
    shown = f'return [...document.querySelectorAll("{done}")].filter(i => i.complete && i.naturalWidth > 0).length'
    wait(lambda: page.execute_script(shown) == 2, "two photographs")
    for still in stills:
        job = page.find_element("xpath", f"//*[@id='photos']//h3[text()='{still.name}']/ancestor::li")
        picture = f"[data-job='{job.get_attribute('data-job')}']"
        assert sample(page, f"{picture} .result")["colourfulness"] > 5
        wait(lambda p=picture: sample(page, f"{p} .source")["luma"] > 5, "the original")
        assert sample(page, f"{picture} .source")["colourfulness"] < GREY
        job.find_element("css selector", ".handle").send_keys("\ue011")
        assert job.find_element("css selector", ".handle").get_attribute("aria-valuenow") == "0"

    press(page, "#photo-strength", "\ue011")  # grey is what was asked for
    plain = make_still(clip("beach"), tmp_path / "plain.png", at=20)
    drop(page, "#photo .drop", plain)
    card = "//*[@id='photos']//h3[text()='plain.png']/ancestor::li[@data-state='done']"
    wait(lambda: page.find_elements("xpath", card), "the dropped picture")
    picture = f"[data-job='{page.find_element('xpath', card).get_attribute('data-job')}'] .result"
    wait(lambda: sample(page, picture)["luma"] > 5, "its picture")
    assert sample(page, picture)["colourfulness"] < GREY

    page.allowed = ["415"]
    wrong = tmp_path / "notes.jpg"
    wrong.write_text("no picture at all")
    empty = tmp_path / "nothing.png"
    empty.touch()
    upload(page, "photo", wrong, empty)
    wait(lambda: "notes.jpg" in text(page, "#photo-message"), "the server's line")
    assert "read" in text(page, "#photo-message")
    assert "nothing.png is empty" in text(page, "#photo-message")  # neither line hides the other
    assert page.execute_script("return document.querySelector('#photo-message').getAttribute('role')") == "status"
    assert len(page.find_elements("css selector", "#photos .card")) == 3


def test_a_camera_that_is_missing_or_not_allowed_is_said(address, tmp_path):
    camera = make_camera(SAMPLE, tmp_path / "camera.mjpeg", frames=5)
    for lent, said in ((None, "No camera"), (camera, "may not use")):
        with browsing(lent, tmp_path / said, allowed=False) as page:
            page.get(address)
            page.find_element("id", "live-start").click()
            wait(lambda page=page, said=said: said in text(page, "#live-message"), said)
            assert page.find_element("css selector", "#live-message button").text == "Try again"
            assert page.find_element("id", "live-start").is_displayed()


def test_a_lost_connection_offers_to_try_again(chromium):
    with serving() as url:
        chromium.get(url)
        start_live(chromium)
    wait(lambda: "lost" in text(chromium, "#live-message"), "the loss")
    wait(lambda: "out of reach" in text(chromium, "#lost"), "the server to be missed")
    assert chromium.find_element("css selector", "#live-message button").text == "Try again"
    assert chromium.execute_script("return document.querySelector('#live-after').srcObject") is None

    with serving("--port", url.rstrip("/").rpartition(":")[2]):  # which knows nobody from before
        wait(lambda: chromium.find_elements("css selector", "#lost button"), "a way back")
        chromium.find_element("css selector", "#lost button").click()
        start_live(chromium)
        assert text(chromium, "#lost") == ""
