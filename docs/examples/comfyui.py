"""Colours one picture by a ComfyUI server; see docs/references.md. It needs Python's own library only.

    python comfyui.py workflow.json INPUT OUTPUT [--server http://127.0.0.1:8188]

The workflow is one of yours, saved by "Export (API)": it loads a picture, colours it, and saves it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

POLL = 0.5  # seconds


class Fault(Exception):
    """What went wrong, in a line."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Colour one picture by a ComfyUI server.")
    parser.add_argument("workflow", type=Path, help="saved by Export (API)")
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--server", default="http://127.0.0.1:8188")
    parser.add_argument("--load", metavar="ID", help="node that loads the picture, where there are several LoadImage")
    parser.add_argument("--save", metavar="ID", help="node whose picture is taken, where several give one")
    parser.add_argument("--timeout", type=float, default=1700.0, metavar="SECONDS")
    given = parser.parse_args()
    try:
        color(given)
    except Fault as fault:
        sys.exit(f"comfyui: {fault}")


def color(given: argparse.Namespace) -> None:
    """Upload, ask, wait, fetch."""
    server = given.server.rstrip("/")
    workflow = read_workflow(given.workflow)
    node = node_to_load(workflow, given.load)
    node["inputs"]["image"] = upload(server, given.input)
    answer = ask(f"{server}/prompt", json.dumps({"prompt": workflow, "client_id": uuid.uuid4().hex}).encode())
    outputs = wait(server, read_json(answer)["prompt_id"], given.timeout)
    image = picture_in(outputs, given.save)
    data = ask(f"{server}/view?{urllib.parse.urlencode(image)}")
    given.output.write_bytes(data)


def read_workflow(path: Path) -> dict[str, Any]:
    """The nodes of a workflow, by their ids."""
    try:
        workflow = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Fault(f"{path}: cannot be read, {error}") from error
    if not isinstance(workflow, dict) or "nodes" in workflow:
        raise Fault(f"{path}: is a workflow for the page; save it by Export (API)")
    return workflow


def node_to_load(workflow: dict[str, Any], wanted: str | None) -> dict[str, Any]:
    """The node that loads the picture."""
    if wanted is not None:
        if wanted not in workflow:
            raise Fault(f"there is no node {wanted} in the workflow; its nodes are {', '.join(workflow)}")
        found: dict[str, Any] = workflow[wanted]
        return found
    loaders = [node for node in workflow.values() if node.get("class_type") == "LoadImage"]
    if len(loaders) != 1:
        raise Fault(f"the workflow has {len(loaders)} nodes LoadImage; name the one to use by --load ID")
    found = loaders[0]
    return found


def upload(server: str, path: Path) -> str:
    """Send a picture; its name on the server. Named by its content, so that no other one is replaced."""
    data = path.read_bytes()
    name = f"vidcolor-{hashlib.sha256(data).hexdigest()[:16]}{path.suffix}"
    border = uuid.uuid4().hex
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n'.encode(),
        f'--{border}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'.encode(),
        b"Content-Type: image/png\r\n\r\n" + data + f"\r\n--{border}--\r\n".encode(),
    ]
    kind = f"multipart/form-data; boundary={border}"
    stored = read_json(ask(f"{server}/upload/image", b"".join(parts), kind))
    return "/".join(part for part in (stored.get("subfolder"), stored["name"]) if part)


def wait(server: str, job: str, timeout: float) -> dict[str, Any]:
    """What the nodes of a job gave, when it is done."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        entry = read_json(ask(f"{server}/history/{job}")).get(job)
        if entry:
            status = entry.get("status") or {}
            if status.get("status_str") == "error":
                raise Fault(f"the workflow failed: {why(status)}")
            outputs: dict[str, Any] = entry["outputs"]
            return outputs
        time.sleep(POLL)
    raise Fault(f"not done after {timeout:g} s")


def why(status: dict[str, Any]) -> str:
    """The message of an execution that failed."""
    for kind, details in status.get("messages", []):
        if kind == "execution_error":
            return f"{details.get('node_type')}: {str(details.get('exception_message')).strip()}"
    return "see the server's own messages"


def picture_in(outputs: dict[str, Any], wanted: str | None) -> dict[str, str]:
    """What /view is to be asked for: file name, folder and kind of the picture that a job has saved."""
    found = {
        node: image
        for node, output in outputs.items()
        for image in output.get("images", [])
        if image.get("type") == "output" and wanted in (None, node)
    }
    if not found:
        raise Fault("it saved no picture; add a node SaveImage, or change the seed if it was run before")
    if len(found) > 1:
        raise Fault(f"nodes {', '.join(found)} each saved a picture; name the one to take by --save ID")
    image = next(iter(found.values()))
    return {key: image.get(key, "") for key in ("filename", "subfolder", "type")}


def ask(address: str, data: bytes | None = None, kind: str = "application/json") -> bytes:
    """The body of an answer; POST where there is `data`."""
    headers = {"Content-Type": kind} if data is not None else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=60) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        raise Fault(f"{address}: {error.code}, {message_in(said) or error.reason}") from error
    except OSError as error:
        raise Fault(f"{address}: {getattr(error, 'reason', error)}; is the server running?") from error


def message_in(body: str) -> str:
    """What ComfyUI says of a workflow that it refuses."""
    try:
        told = json.loads(body)
        nodes = told.get("node_errors") or {}  # an empty list where no node is at fault
        details = [e["message"] for node in nodes.values() for e in node.get("errors", [])]
        return ", ".join([told["error"]["message"], *details])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def read_json(body: bytes) -> dict[str, Any]:
    """An answer as JSON."""
    try:
        told: dict[str, Any] = json.loads(body)
        return told
    except ValueError as error:
        raise Fault("the server's answer is no JSON; is it ComfyUI?") from error


if __name__ == "__main__":
    main()
