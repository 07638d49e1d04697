// Two films played as one: the result leads and has the sound, the original follows. One set of controls.

import { $, clock } from "./text.js";
import { Divider } from "./divider.js";

const LOOSE = 0.03; // s apart that nobody sees: less than a frame
const FAR = 0.3; // s apart that is jumped; less is caught up by playing a little faster or slower

export class Player {
  // viewer: the .viewer of a film's card; source: URL of the original, null if no browser plays it.
  constructor(viewer, { source, result }) {
    this.viewer = viewer;
    this.lead = $(".result", viewer);
    this.follower = source ? $(".source", viewer) : null;
    this.seek = $(".seek", viewer);
    this.divider = new Divider($(".stage", viewer));
    $(".stage", viewer).classList.toggle("single", !source);
    this.lead.src = result;
    if (source) this.follower.src = source;
    this.wire();
  }

  wire() {
    const { lead, follower } = this;
    lead.addEventListener("loadedmetadata", () => {
      this.divider.shape(lead.videoWidth, lead.videoHeight);
      this.seek.max = String(lead.duration || 1);
      this.show();
    });
    // An original that does not play after all (its codec) leaves the result alone.
    follower?.addEventListener("error", () => {
      $(".stage", this.viewer).classList.add("single");
      this.follower = null;
    });
    lead.addEventListener("error", () => {
      $(".time", this.viewer).textContent = "This browser cannot play the film; download it.";
      $(".play", this.viewer).disabled = true;
    });
    lead.addEventListener("play", () => this.state(true));
    lead.addEventListener("pause", () => this.state(false));
    lead.addEventListener("seeked", () => this.align());
    lead.addEventListener("timeupdate", () => this.show());
    $(".play", this.viewer).addEventListener("click", () => (lead.paused ? lead.play().catch(() => {}) : lead.pause()));
    this.seek.addEventListener("input", () => {
      lead.currentTime = Number(this.seek.value);
      this.align();
    });
    $(".mute", this.viewer).addEventListener("click", (event) => {
      lead.muted = !lead.muted;
      event.target.textContent = lead.muted ? "Sound off" : "Sound on";
      event.target.setAttribute("aria-pressed", String(lead.muted));
    });
    const full = $(".full", this.viewer);
    full.hidden = !document.fullscreenEnabled; // phones that know it only for single videos
    full.addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : this.viewer.requestFullscreen()));
  }

  state(playing) {
    const button = $(".play", this.viewer);
    button.textContent = playing ? "❚❚" : "▶";
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing) {
      this.follower?.play().catch(() => {}); // it was paused again before it began
      this.keep();
    } else {
      this.follower?.pause();
      this.align();
    }
  }

  // Once a picture while it plays.
  keep() {
    if (this.lead.paused) return;
    this.align();
    this.show();
    requestAnimationFrame(() => this.keep());
  }

  align() {
    const { lead, follower } = this;
    if (!follower || follower.readyState < 1 || follower.seeking) return;
    const ahead = follower.currentTime - lead.currentTime;
    const apart = Math.abs(ahead);
    if (lead.paused ? apart > 0.001 : apart > FAR) follower.currentTime = lead.currentTime;
    follower.playbackRate = apart > LOOSE && apart <= FAR && !lead.paused ? (ahead > 0 ? 0.9 : 1.1) : 1;
  }

  show() {
    const { currentTime, duration } = this.lead;
    this.seek.value = String(currentTime);
    const place = `${clock(currentTime)} / ${clock(duration)}`;
    this.seek.setAttribute("aria-valuetext", place);
    $(".time", this.viewer).textContent = place;
  }

  pause() {
    this.lead.pause();
  }

  close() {
    this.lead.pause();
    for (const video of [this.lead, this.follower]) {
      video?.removeAttribute("src");
      video?.load(); // lets go of the connection
    }
  }
}
