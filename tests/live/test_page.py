"""The page in a real browser: three tabs, colours that are there and alive, keys, faults, phone width."""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT, SAMPLE
from tests.films import read
from tests.live.browser import Served, make_camera, open_browser, wait_for

# Samples a <video> or <img>: width, height, Hasler-Suesstrunk colourfulness of its right half, and the mean luma.
SAMPLE_JS = """
const picture = document.querySelector(arguments[0]);
const canvas = document.createElement("canvas");
canvas.width = 160; canvas.height = 120;
const pen = canvas.getContext("2d", { willReadFrequently: true });
pen.drawImage(picture, 0, 0, 160, 120);
const data = pen.getImageData(80, 0, 80, 120).data;
let n = 0, sums = [0, 0, 0, 0], luma = 0;
for (let i = 0; i < data.length; i += 4) {
  const rg = data[i] - data[i + 1], yb = (data[i] + data[i + 1]) / 2 - data[i + 2];
  sums[0] += rg; sums[1] += rg * rg; sums[2] += yb; sums[3] += yb * yb;
  luma += (i / 4 % 17) * (data[i] + data[i + 1] + data[i + 2]); n += 1;
}
const [mr, qr, mb, qb] = sums.map((x) => x / n);
const deviation = Math.sqrt(Math.max(0, qr - mr * mr) + Math.max(0, qb - mb * mb));
return [deviation + 0.3 * Math.hypot(mr, mb), luma, picture.videoWidth || picture.naturalWidth];
"""
CONTRAST_JS = """
function channel(c) { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }
function light(rgb) { return 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]); }
function parse(text) { return text.match(/[\\d.]+/g).map(Number); }
const poor = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !element.offsetParent || element.closest(".hidden, .skip, noscript, option, script, style")) continue;
  let ground = element, back = parse(getComputedStyle(ground).backgroundColor);
  while (back.length === 4 && back[3] === 0 && ground.parentElement) {
    ground = ground.parentElement; back = parse(getComputedStyle(ground).backgroundColor);
  }
  const [a, b] = [light(parse(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) poor.push(`${element.tagName} "${element.textContent.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
}
return poor;
"""
NAMELESS_JS = """
return [...document.querySelectorAll("button, input, select, a, video, img, [role=slider]")].filter((e) => {
  const label = e.getAttribute("aria-label") || e.alt || e.textContent.trim() || e.labels?.[0]?.textContent.trim();
  return !label && !e.closest("[hidden]");
}).map((e) => e.outerHTML.slice(0, 80));
"""

SMALL_JS = """
return [...document.querySelectorAll("button, .button")].filter((e) => e.offsetParent && e.offsetHeight < 44)
  .map((e) => e.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope="module")
def served():
    server = Served()
    yield server
    assert server.close() == ""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    made = open_browser(folder, make_camera(SAMPLE, folder / "camera.mjpeg"))
    made.folder = folder
    yield made
    made.quit()


@pytest.fixture
def page(browser, served):
    browser.get(served.address)
    browser.get_log("browser")
    yield browser
    faults = [x["message"] for x in browser.get_log("browser") if x["level"] == "SEVERE"]
    assert [x for x in faults if "415" not in x] == []


def find(page, id: str):
    return page.find_element("id", id)


def sample(page, selector: str) -> list[float]:
    return page.execute_script(SAMPLE_JS, selector)


def keep(page, name: str) -> None:
    """For people to look at, where they say where."""
    if folder := os.environ.get("VIDCOLOR_SHOTS"):
        page.save_screenshot(str(Path(folder) / f"page-{name}.png"))


def drag(page, bar, pixels: int) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(page).click_and_hold(bar).move_by_offset(pixels, 0).release().perform()


def test_the_live_picture_comes_back_coloured_and_alive(page):
    from selenium.webdriver import Keys

    find(page, "live-start").click()
    wait_for(lambda: sample(page, "#live-after")[2] == 640, "the picture")
    assert sample(page, "#live-after")[0] > 10
    lumas: set[float] = set()
    wait_for(lambda: lumas.add(sample(page, "#live-after")[1]) or len(lumas) > 10, "another frame")
    wait_for(lambda: re.fullmatch(r"\d+ ms", find(page, "live-delay").text), "the delay")
    rate = wait_for(lambda: float(find(page, "live-fps").text.replace("–", "0")), "the rate")
    assert rate > 3
    keep(page, "live")

    bar = page.find_element("css selector", "#live-compare .divider")
    bar.send_keys(Keys.HOME)
    assert bar.get_attribute("aria-valuenow") == "0"
    bar.send_keys(Keys.ARROW_RIGHT)
    assert bar.get_attribute("aria-valuenow") == "2"
    bar.send_keys(Keys.END)
    drag(page, bar, -300)
    assert 20 < int(bar.get_attribute("aria-valuenow")) < 80

    find(page, "live-strength").send_keys(Keys.HOME)
    wait_for(lambda: sample(page, "#live-after")[0] < 3, "grey at strength 0")
    find(page, "live-strength").send_keys(Keys.END)
    wait_for(lambda: sample(page, "#live-after")[0] > 20, "strong colour")
    find(page, "live-start").click()
    assert find(page, "live-start").text == "Start the camera"
    assert not find(page, "live-compare").is_displayed()
    find(page, "live-start").click()  # and once more
    wait_for(lambda: sample(page, "#live-after")[0] > 10, "the picture again")
    find(page, "live-start").click()


def test_a_film_is_uploaded_coloured_watched_and_fetched(page, tmp_path):
    find(page, "tab-film").click()
    find(page, "film-file").send_keys(str(SAMPLE))
    wait_for(lambda: page.find_elements("css selector", "#film-jobs img.picture"), "a live preview")
    keep(page, "film-progress")
    wait_for(lambda: page.find_elements("id", "film-play"), "the player")
    wait_for(lambda: sample(page, "#film-viewer .after")[2] == 640, "the result")
    find(page, "film-play").click()
    wait_for(lambda: page.execute_script("return document.querySelector('#film-viewer video.after').currentTime") > 0.5)
    assert sample(page, "#film-viewer video.after")[0] > 10
    assert sample(page, "#film-viewer video.before")[0] < 5
    apart = page.execute_script(
        "const [a, b] = document.querySelectorAll('#film-viewer video'); return Math.abs(a.currentTime - b.currentTime)"
    )
    assert apart < 1
    keep(page, "film")

    page.refresh()
    assert find(page, "tab-film").get_attribute("aria-selected") == "true"
    link = wait_for(lambda: page.find_elements("css selector", "#film-jobs a.button"), "the job after a reload")[0]
    link.click()
    target = page.folder / "his_girl_friday-color.mp4"
    wait_for(target.exists, "the download")
    assert len(read(target).frames) == 185
    page.find_element("css selector", "#film-jobs button[aria-label^=Remove]").click()
    wait_for(lambda: not page.find_elements("css selector", "#film-jobs .job"), "the list without it")


def test_a_film_can_be_cancelled(page, tmp_path):
    long = tmp_path / "long.mkv"
    with av.open(str(long), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 960, 720, "yuv420p"
        noise = np.random.default_rng(1)
        for _ in range(500):
            picture = noise.integers(0, 255, (18, 24, 3), np.uint8).repeat(40, 0).repeat(40, 1)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    find(page, "tab-film").click()
    find(page, "film-file").send_keys(str(long))
    button = wait_for(lambda: page.find_elements("css selector", "#film-jobs button[aria-label='Cancel long.mkv']"))[0]
    button.click()
    wait_for(lambda: not page.find_elements("css selector", "#film-jobs .job"), "the list without it")


def test_photographs_are_compared_and_a_wrong_file_is_named(page, tmp_path):
    find(page, "tab-photo").click()
    grey = Image.open(ROOT / "docs" / "his_girl_friday.jpg").convert("L")
    for name in ("one.png", "two.jpg"):
        grey.save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    names = ("one.png", "two.jpg", "notes.txt")
    find(page, "photo-file").send_keys("\n".join(str(tmp_path / n) for n in names))
    wait_for(lambda: len(page.find_elements("css selector", "#photo-jobs .compare img.after")) == 2, "both")
    wait_for(lambda: "notes.txt: is no still" in find(page, "message").text, "the fault")
    wait_for(lambda: sample(page, "#photo-jobs img.after")[0] > 5, "colour")
    assert sample(page, "#photo-jobs img.before")[0] < 1
    assert (
        page.find_element("css selector", "#photo-jobs .divider").get_attribute("aria-label").startswith("Bar between")
    )
    keep(page, "photo")


def test_tabs_go_by_arrow_keys(page):
    from selenium.webdriver import Keys

    find(page, "tab-live").click()
    find(page, "tab-live").send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.get_attribute("id") == "tab-film"
    assert find(page, "panel-film").is_displayed()
    page.switch_to.active_element.send_keys(Keys.END)
    assert page.switch_to.active_element.get_attribute("id") == "tab-photo"
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.get_attribute("id") == "tab-live"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_can_be_read_and_named_on_every_screen(page, scheme, width):
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for tab in ("live", "film", "photo"):
            find(page, f"tab-{tab}").click()
            assert page.execute_script(CONTRAST_JS) == []
            assert page.execute_script(NAMELESS_JS) == []
            assert page.execute_script("return document.documentElement.scrollWidth") <= width
            keep(page, f"{tab}-{scheme}-{width}")
        assert page.execute_script(SMALL_JS) == []
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_without_a_camera_the_page_says_so(served, tmp_path):
    browser = open_browser(tmp_path, None, "--use-fake-device-for-media-stream=device-count=0")
    try:
        browser.get(served.address)
        find(browser, "live-start").click()
        wait_for(lambda: "There is no camera" in find(browser, "message").text, "the message")
        assert find(browser, "live-start").is_enabled()
    finally:
        browser.quit()


def test_a_visitor_with_a_token_gets_in_and_the_token_leaves_the_address(browser):
    server = Served("--token", "correct-horse")
    try:
        plain = server.address.split("?")[0]
        browser.get(plain)
        assert "not let in" in browser.page_source
        browser.get(server.address)
        assert browser.current_url.split("#")[0] == plain
        assert find(browser, "live-start").is_displayed()
    finally:
        server.close()


def test_the_page_asks_nobody_else(served):
    with urllib.request.urlopen(served.address) as answer:
        text = answer.read().decode()
    assert not re.search(r"https?://", text)
    for path in (ROOT / "vidcolor" / "live" / "serve" / "page").glob("*.*"):
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text()), path.name
