// One live picture: the camera's track out, the coloured one back, and the control channel beside them.

import { call, ServerError } from "./api.js";

const GATHER = 2000; // ms; the addresses of this machine are found at once, others may never be
const PING = 1000; // ms
const BITRATE = 4_000_000; // of what is sent, at most; a blurred source is coloured badly

export class Session extends EventTarget {
  // Events: "picture" (detail: the coloured MediaStream), "report" (see tell), "lost".
  constructor(stream, strength) {
    super();
    this.stream = stream;
    this.strength = strength;
    this.rtt = null;
    this.sums = {};
    this.over = false;
  }

  async open() {
    const peer = (this.peer = new RTCPeerConnection());
    const [track] = this.stream.getVideoTracks();
    const { sender } = peer.addTransceiver(track, { direction: "sendrecv", streams: [this.stream] });
    this.channel = peer.createDataChannel("control");
    this.channel.addEventListener("open", () => this.begin());
    this.channel.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    this.channel.addEventListener("close", () => this.lose());
    peer.addEventListener("track", (event) => {
      this.dispatchEvent(new CustomEvent("picture", { detail: new MediaStream([event.track]) }));
    });
    peer.addEventListener("connectionstatechange", () => this.watch());
    await peer.setLocalDescription();
    await gathered(peer);
    const { sdp, type } = peer.localDescription;
    const answer = await call("POST", "/api/live", { sdp, type, strength: this.strength });
    this.id = answer.id;
    if (this.over) return this.close(); // stopped while it was asked for
    await peer.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    await bound(sender);
  }

  begin() {
    this.set(this.strength);
    this.ping();
    this.pinging = setInterval(() => this.ping(), PING);
  }

  ping() {
    this.send({ ping: performance.now() });
  }

  set(strength) {
    this.strength = strength;
    this.send({ strength });
  }

  send(message) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
  }

  async hear(message) {
    if ("pong" in message) this.rtt = performance.now() - message.pong;
    if ("fps" in message) {
      const arrived = await this.arrived();
      if (!this.over) this.dispatchEvent(new CustomEvent("report", { detail: { ...message, ...arrived } }));
    }
  }

  // What this browser measures: frames a second shown, and the ms that a message (rtt) and a frame take: compressed
  // here on its way out (sent), and from its first packet back to a picture (wait: jitter buffer and decoder).
  // Null while unknown.
  async arrived() {
    const stats = [...(await this.peer.getStats()).values()];
    const find = (type) => stats.find((each) => each.type === type && each.kind === "video") ?? {};
    const [back, out] = [find("inbound-rtp"), find("outbound-rtp")];
    return {
      rtt: this.rtt,
      shown: back.framesPerSecond ?? null,
      sent: this.mean("sent", out.totalEncodeTime, out.framesEncoded),
      wait: back.totalProcessingDelay === undefined
        ? this.mean("wait", back.jitterBufferDelay, back.jitterBufferEmittedCount)
        : this.mean("wait", back.totalProcessingDelay, back.framesDecoded),
    };
  }

  // Mean in ms since the last look, of sums in s that only grow.
  mean(name, sum = 0, count = 0) {
    const before = this.sums[name] ?? { sum: 0, count: 0 };
    this.sums[name] = { sum, count };
    return count > before.count ? (1000 * (sum - before.sum)) / (count - before.count) : null;
  }

  // "disconnected" often heals by itself; "failed" does not.
  watch() {
    const state = this.peer.connectionState;
    clearTimeout(this.doubt);
    if (state === "failed" || state === "closed") this.lose();
    if (state === "disconnected") this.doubt = setTimeout(() => this.lose(), 5000);
  }

  lose() {
    if (this.over) return;
    this.close();
    this.dispatchEvent(new Event("lost"));
  }

  // Lets the server go; also called when the page is left, hence keepalive. The server is told before the connection
  // ends: it would close its side by itself, and know nothing any more of what it is told to stop.
  close() {
    this.over = true;
    clearInterval(this.pinging);
    clearTimeout(this.doubt);
    const end = () => this.peer?.close();
    if (!this.id) return end();
    const path = `/api/live/${encodeURIComponent(this.id)}`;
    this.id = null;
    fetch(path, { method: "DELETE", keepalive: true }).then(end, end); // a server that is gone has nothing to free
  }
}

// Resolves when all addresses are in the description: the server takes one offer, with nothing to follow.
function gathered(peer) {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (peer.signalingState === "closed") reject(new ServerError(0, "The connection was closed."));
      if (peer.iceGatheringState === "complete") resolve();
    };
    peer.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, GATHER);
    check();
  });
}

// A steady size: each new one makes the colours begin anew.
async function bound(sender) {
  const parameters = sender.getParameters();
  for (const encoding of parameters.encodings) encoding.maxBitrate = BITRATE;
  parameters.degradationPreference = "maintain-resolution";
  await sender.setParameters(parameters).catch(() => {}); // Firefox knows but a part of it; the defaults do
}
