// The live tab: the visitor's camera, its coloured picture, and what is said about them.

import { ServerError } from "./api.js";
import { Divider } from "./divider.js";
import { Session } from "./session.js";
import { $, say, strength, write } from "./text.js";

const WISH = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } };

export function live() {
  const panel = $("#live");
  const stage = $(".stage", panel);
  const [before, after] = [$("#live-before"), $("#live-after")];
  const [start, stop, picker, message] = ["#live-start", "#live-stop", "#camera", "#live-message"].map((id) => $(id));
  const divider = new Divider(stage);
  let camera = null; // MediaStream
  let session = null;
  let turn = 0; // counts starts and stops, so that what comes late is told from what is wanted

  const wanted = strength("live", (value) => session?.set(value));

  function release() {
    turn += 1;
    session?.close();
    for (const track of camera?.getTracks() ?? []) track.stop();
    session = camera = null;
    before.srcObject = after.srcObject = null;
    stage.classList.add("empty");
    show(null);
    for (const [button, on] of [[start, true], [stop, false]]) {
      const focused = document.activeElement === button;
      button.hidden = !on;
      if (focused && !on) start.focus();
    }
  }

  function fail(text) {
    release();
    say(message, text, { fault: true, action: "Try again", onAction: begin });
  }

  async function begin() {
    release();
    const mine = turn;
    say(message, "Waiting for the camera …");
    start.hidden = true;
    stop.hidden = false;
    stop.focus();
    try {
      const stream = await openCamera(picker.value);
      if (mine !== turn) return stream.getTracks().forEach((track) => track.stop());
      camera = stream;
      await list(picker, camera);
      camera.getVideoTracks()[0].addEventListener("ended", () => {
        if (mine === turn) fail("The camera went away. Plug it in again, or choose another one.");
      });
      before.srcObject = camera;
      stage.classList.remove("empty");
      say(message, "Connecting to the server …");
      session = connect(mine);
      await session.open();
    } catch (error) {
      if (mine === turn) fail(reason(error));
    }
  }

  function connect(mine) {
    const made = new Session(camera, wanted());
    made.addEventListener("picture", (event) => {
      after.srcObject = event.detail;
      after.addEventListener("playing", () => mine === turn && say(message, ""), { once: true });
    });
    made.addEventListener("report", (event) => mine === turn && show(event.detail));
    made.addEventListener("lost", () => {
      if (mine === turn) fail("The connection to the server was lost.");
    });
    return made;
  }

  for (const video of [before, after]) {
    video.addEventListener("resize", () => divider.shape(video.videoWidth, video.videoHeight));
  }
  start.addEventListener("click", begin);
  stop.addEventListener("click", () => {
    release();
    say(message, "The camera is off.");
  });
  picker.addEventListener("change", () => camera && begin());
  $("#before-look").addEventListener("change", (event) => {
    before.classList.toggle("grey", event.target.value === "grey");
  });
  // The server must not wait for a page that is gone; a page that comes back from the cache begins anew.
  addEventListener("pagehide", release);
}

// A camera by its id; the error is the browser's.
function openCamera(id) {
  if (!navigator.mediaDevices) throw new Error("insecure");
  return navigator.mediaDevices.getUserMedia({ video: id ? { ...WISH, deviceId: { exact: id } } : WISH });
}

// Cameras have names only after permission was given.
async function list(picker, camera) {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((each) => each.kind === "videoinput");
  const current = camera.getVideoTracks()[0].getSettings().deviceId;
  picker.replaceChildren(...devices.map((each, at) => {
    const option = new Option(each.label || `Camera ${at + 1}`, each.deviceId);
    option.selected = each.deviceId === current;
    return option;
  }));
}

function reason(error) {
  if (error instanceof ServerError) return error.message;
  if (error.message === "insecure") {
    return "Browsers lend the camera only to pages on this machine or over https. Open the page as http://localhost, or put it behind https.";
  }
  return {
    NotAllowedError: "The browser may not use the camera. Allow it beside the address, then try again.",
    NotFoundError: "No camera was found. Plug one in, then try again.",
    NotReadableError: "The camera is busy: another program holds it. Close that one, then try again.",
    OverconstrainedError: "That camera is gone. Choose another one.",
  }[error.name] ?? `The live picture could not be started: ${error.message}`;
}

// The figures under the picture; null when there is none.
function show(report) {
  const number = (value, unit, digits = 0) => (value === null || value === undefined ? "–" : `${value.toFixed(digits)}${unit}`);
  const parts = report && [report.rtt, report.sent, report.server_ms, report.wait];
  const known = parts && parts.every((part) => part !== null && part !== undefined);
  write($("#live-fps"), number(report && (report.shown ?? report.fps), ""));
  write($("#live-latency"), number(known ? parts.reduce((sum, part) => sum + part, 0) : null, " ms"));
  write($("#live-dropped"), number(report && report.dropped, ""));
  write($("#live-size"), report && report.width ? `${report.width} × ${report.height}` : "–");
}
