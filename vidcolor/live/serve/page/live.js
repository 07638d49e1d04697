// The live tab: the visitor's camera to the server and back over WebRTC.

import { ask, readLimits, say } from "./api.js";
import { addDivider, shape } from "./divider.js";

const $ = (id) => document.getElementById(id);
const FAULTS = {
  NotAllowedError: "The camera was not allowed. Allow it in the browser's address bar, then start again.",
  NotFoundError: "There is no camera. Plug one in, then start again.",
  NotReadableError: "The camera is used by another program. Close that, then start again.",
  OverconstrainedError: "This camera is gone. Choose another one.",
};
const GATHERING = 2000; // ms that addresses are gathered for
const MOST_BITS = 4e6; // a second, of the camera's picture on its way to the server

let now = null; // the live picture that is on: { id, peer, stream, channel, timer, rtt, held, told }

export function startLive() {
  addDivider($("live-compare"), "Bar between the camera and its colours");
  $("live-start").addEventListener("click", () => (now ? stop() : start()));
  $("live-camera").addEventListener("change", async () => { if (now) { await stop(); start(); } });
  $("live-strength").addEventListener("input", () => tell({ strength: Number($("live-strength").value) }));
  $("live-true").addEventListener("change", () => $("live-before").classList.toggle("grey", !$("live-true").checked));
  $("live-after").addEventListener("resize", () => {
    shape($("live-compare"), $("live-after").videoWidth, $("live-after").videoHeight);
  });
  addEventListener("pagehide", () => { if (now) fetch(`/api/live/${now.id}`, { method: "DELETE", keepalive: true }); });
  readLimits().then((limits) => {
    for (const tab of ["live", "film", "photo"]) {
      $(`${tab}-strength`).value = limits.strength;
      $(`${tab}-strength-shown`).textContent = limits.strength.toFixed(1);
    }
  }).catch(() => {});
}

async function start() {
  const button = $("live-start");
  button.disabled = true;
  try {
    const stream = await openCamera();
    try {
      await connect(stream);
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      throw error;
    }
    await listCameras();
  } catch (error) {
    say(FAULTS[error.name] ?? error.message);
  }
  button.disabled = false;
  show();
}

function openCamera() {
  if (!navigator.mediaDevices) throw new Error("Browsers give the camera only to localhost and to https addresses.");
  const wanted = $("live-camera").value;
  const picture = { width: { ideal: 854 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } };
  return navigator.mediaDevices.getUserMedia({ video: wanted ? { ...picture, deviceId: { exact: wanted } } : picture });
}

// Names are told only after the camera was allowed.
async function listCameras() {
  const list = $("live-camera");
  const chosen = list.value;
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === "videoinput");
  list.replaceChildren(new Option("The usual one", ""), ...cameras.map((c, i) => new Option(c.label || `Camera ${i + 1}`, c.deviceId)));
  list.value = cameras.some((c) => c.deviceId === chosen) ? chosen : "";
}

async function connect(stream) {
  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel("control", { ordered: false });
  stream.getVideoTracks().forEach((track) => {
    track.contentHint = "motion";
    peer.addTrack(track, stream);
  });
  peer.addEventListener("track", (event) => {
    if ("jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 0; // the newest frame, not the smoothest film
    $("live-after").srcObject = new MediaStream([event.track]);
  });
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  let answer;
  try {
    answer = await ask("POST", "/api/live", {
      sdp: peer.localDescription.sdp, type: "offer", strength: Number($("live-strength").value),
    });
    await peer.setRemoteDescription(answer);
    await keepSize(peer);
  } catch (error) {
    peer.close();
    throw error;
  }
  now = { id: answer.id, peer, stream, channel, rtt: null, held: null, told: {} };
  const mine = now;
  channel.addEventListener("message", (event) => hear(mine, JSON.parse(event.data)));
  mine.timer = setInterval(() => measure(mine), 1000);
  peer.addEventListener("connectionstatechange", () => {
    if (peer.connectionState === "failed" && now === mine) {
      stop();
      say("The connection is lost. Start the camera again to go on.");
    }
  });
  stream.getVideoTracks()[0].addEventListener("ended", () => {
    if (now === mine) { stop(); say("The camera is gone. Plug it in, then start again."); }
  });
  $("live-before").srcObject = stream;
}

// A slow moment shall cost frames, which the server drops anyway, and not the size of the picture.
async function keepSize(peer) {
  for (const sender of peer.getSenders()) {
    const settings = sender.getParameters();
    settings.degradationPreference = "maintain-resolution";
    for (const encoding of settings.encodings ?? []) encoding.maxBitrate = MOST_BITS;
    await sender.setParameters(settings).catch(() => {}); // only a wish; older browsers do not know it
  }
}

function gathered(peer) {
  return new Promise((resolve) => {
    if (peer.iceGatheringState === "complete") return resolve();
    setTimeout(resolve, GATHERING);
    peer.addEventListener("icegatheringstatechange", () => { if (peer.iceGatheringState === "complete") resolve(); });
  });
}

async function stop() {
  const last = now;
  now = null;
  show();
  if (!last) return;
  clearInterval(last.timer);
  last.stream.getTracks().forEach((track) => track.stop());
  await ask("DELETE", `/api/live/${last.id}`).catch(() => {}); // the server may have let go of it before
  last.peer.close();
}

function show() {
  $("live-start").textContent = now ? "Stop" : "Start the camera";
  $("live-compare").hidden = $("live-figures").hidden = !now;
  $("live-invite").hidden = Boolean(now);
}

function tell(message) {
  if (now?.channel.readyState === "open") now.channel.send(JSON.stringify(message));
}

function hear(mine, told) {
  if ("pong" in told) mine.rtt = performance.now() - told.pong;
  else mine.told = told;
}

// Delay = there and back + the server's work + what the receiver holds back; camera and screen come on top.
async function measure(mine) {
  if (now !== mine) return;
  tell({ ping: performance.now() });
  for (const stat of (await mine.peer.getStats()).values()) {
    if (stat.type !== "inbound-rtp" || stat.kind !== "video") continue;
    const before = mine.last ?? { jitterBufferDelay: 0, jitterBufferEmittedCount: 0 };
    const frames = stat.jitterBufferEmittedCount - before.jitterBufferEmittedCount;
    if (frames > 0) mine.held = (1000 * (stat.jitterBufferDelay - before.jitterBufferDelay)) / frames;
    mine.last = stat;
  }
  const { fps, server_ms: server, dropped, width, height } = mine.told;
  $("live-fps").textContent = fps ? fps.toFixed(1) : "–";
  const delay = [mine.rtt, server, mine.held].every((x) => x != null) ? mine.rtt + server + mine.held : null;
  $("live-delay").textContent = delay == null ? "–" : `${Math.round(delay)} ms`;
  $("live-dropped").textContent = dropped ?? "–";
  $("live-size").textContent = width ? `${width} × ${height}` : "–";
}
