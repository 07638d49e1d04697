"""The worked example for ComfyUI, with a stand-in server that speaks its API: a whole film, and what goes wrong."""

import email.parser
import email.policy
import io
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.film.test_outside import chroma, color
from tests.film.test_stills import scene, write

SCRIPT = ROOT / "docs" / "examples" / "comfyui.py"
WORKFLOW = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
    "2": {"class_type": "Painter", "inputs": {"image": ["1", 0], "seed": 7}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "made"}},
}


class Handler(BaseHTTPRequestHandler):
    """POST /upload/image and /prompt, GET /history/ID and /view, as ComfyUI's server.py has them."""

    def log_message(self, *_):
        pass

    def answer(self, body: bytes, status: int = 200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        state = self.server.state
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/upload/image":
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
            parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
            assert parts["overwrite"].get_content().strip() == "true"
            name = parts["image"].get_filename()
            state["files"][name] = parts["image"].get_payload(decode=True)
            self.answer(json.dumps({"name": name, "subfolder": "", "type": "input"}).encode())
        elif self.path == "/prompt":
            asked = json.loads(data)
            assert asked["client_id"]
            nodes = asked["prompt"]
            if any(node["class_type"] == "Missing" for node in nodes.values()):
                told = {"error": {"type": "invalid_prompt", "message": "Cannot execute because a node is missing"},
                        "node_errors": []}  # fmt: skip
                return self.answer(json.dumps(told).encode(), 400)
            job = f"job-{len(state['jobs'])}"
            state["jobs"][job] = [nodes["1"]["inputs"]["image"], 0]
            self.answer(json.dumps({"prompt_id": job, "number": 1, "node_errors": {}}).encode())

    def do_GET(self):
        state, asked = self.server.state, urlsplit(self.path)
        if asked.path == "/view":
            query = {key: values[0] for key, values in parse_qs(asked.query).items()}
            assert query["type"] == "output"
            return self.answer(painted(state["files"][query["filename"].removeprefix("made-")]))
        job = asked.path.removeprefix("/history/")
        state["jobs"][job][1] += 1
        if state["jobs"][job][1] < 2:
            return self.answer(b"{}")  # not done yet
        name = f"made-{state['jobs'][job][0]}"
        entry = {"outputs": {"3": {"images": [{"filename": name, "subfolder": "", "type": "output"}]}},
                 "status": {"status_str": "success", "completed": True, "messages": []}}  # fmt: skip
        if state["fault"] == "error":
            details = {"node_type": "Painter", "exception_message": "Allocation on device\n"}
            entry = {"outputs": {}, "status": {"status_str": "error", "completed": False,
                     "messages": [["execution_start", {}], ["execution_error", details]]}}  # fmt: skip
        if state["fault"] == "cached":
            entry["outputs"] = {}
        self.answer(json.dumps({job: entry}).encode())


def painted(data: bytes) -> bytes:
    grey = np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(float)
    side = np.where(np.arange(grey.shape[1]) < grey.shape[1] // 2, 30.0, -30.0)
    out = io.BytesIO()
    Image.fromarray(np.dstack([grey + side, grey - side / 3, grey - side]).clip(0, 255).astype(np.uint8)).save(
        out, "PNG"
    )
    return out.getvalue()


@pytest.fixture
def server(tmp_path):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.state = {"files": {}, "jobs": {}, "fault": ""}
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def command(server, workflow, *more) -> list[str]:
    address = f"http://127.0.0.1:{server.server_port}"
    return [sys.executable, str(SCRIPT), str(workflow), "{input}", "{output}", "--server", address, *more]


def test_a_film_is_coloured_through_the_server(server, colorizer, tmp_path):
    workflow = tmp_path / "workflow.json"
    workflow.write_text(json.dumps(WORKFLOW))
    film = write(tmp_path / "film.mkv", [scene(1)] * 12)
    text = " ".join(f"'{word}'" for word in command(server, workflow))
    color(film, tmp_path / "out.mkv", colorizer, text)
    found = chroma(tmp_path / "out.mkv")
    assert found[:, 0].min() > 8
    assert found[:, 1].max() < -8
    assert len(server.state["jobs"]) == 1


@pytest.mark.parametrize(
    ("fault", "changes", "said"),
    [
        ("error", {}, "the workflow failed: Painter: Allocation on device"),
        ("cached", {}, "saved no picture"),
        ("", {"2": {"class_type": "Missing", "inputs": {}}}, "400, Cannot execute because a node is missing"),
        ("", {"4": WORKFLOW["1"]}, "has 2 nodes LoadImage; name the one to use by --load"),
        ("", {"nodes": []}, "save it by Export (API)"),
        ("down", {}, "is the server running?"),
    ],
)
def test_what_goes_wrong_is_one_line(server, tmp_path, fault, changes, said):
    server.state["fault"] = fault
    workflow, given, made = tmp_path / "workflow.json", tmp_path / "ref_000001.png", tmp_path / "made.png"
    workflow.write_text(json.dumps(WORKFLOW | changes))
    Image.fromarray(scene(1)).save(given)
    words = [word.format(input=given, output=made) for word in command(server, workflow)]
    if fault == "down":
        words[-1] = "http://127.0.0.1:9"
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not made.exists()
