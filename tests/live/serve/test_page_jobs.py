"""The film and photo tabs in a real browser: real uploads, and what is made of them."""

from __future__ import annotations

import pytest

from tests.conftest import SAMPLE
from tests.films import read
from tests.live.browser import (
    COLOURFUL,
    GREY,
    clip,
    drop,
    make_film,
    make_still,
    press,
    sample,
    text,
    upload,
    wait,
)

pytestmark = pytest.mark.timeout(300)


RECORD = """
window.seen = { previews: 0, said: [] };
document.addEventListener("load", (event) => { if (event.target.matches?.(".preview")) seen.previews += 1; }, true);
new MutationObserver(() => {
  for (const each of document.querySelectorAll(".status")) seen.said.push(each.textContent);
}).observe(document.body, { subtree: true, childList: true, characterData: true });
"""


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
