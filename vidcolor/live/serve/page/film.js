// The film tab: uploads, their progress, and the result beside the original.

import { duration, readLimits } from "./api.js";
import { addDivider, shape } from "./divider.js";
import { downloadLink, keepCards, make, removeButton, standing, takeFiles } from "./jobs.js";

const $ = (id) => document.getElementById(id);
const APART = 0.06; // seconds that the two films may be apart
let mine = null; // id of the film sent last from this page: shown when it is ready
let open = null; // id of the film in the viewer

export function startFilm() {
  takeFiles({
    kind: "film", drop: $("film-drop"), input: $("film-file"), list: $("film-jobs"), strength: $("film-strength"),
    sent: (job) => { mine = job.id; },
  });
  readLimits().then((limits) => {
    $("film-limit").textContent = `Up to ${Math.round(limits.max_bytes / 1e6)} MB and ${Math.round(limits.max_seconds / 60)} minutes.`;
  }).catch(() => {});
  return (jobs) => {
    const films = jobs.filter((job) => job.kind === "film");
    keepCards($("film-jobs"), films, draw);
    const ready = films.find((job) => job.id === mine && job.state === "done");
    if (ready) { mine = null; view(ready); }
    if (open && !films.some((job) => job.id === open)) close();
  };
}

// Parts are kept while a job runs, so that a focused button keeps the focus.
function draw(job, card) {
  const over = job.state !== "queued" && job.state !== "running";
  if (card.state !== job.state) {
    card.state = job.state;
    const watch = make("button", { type: "button", className: "primary" }, "Watch");
    watch.setAttribute("aria-label", `Watch ${job.name}`);
    watch.addEventListener("click", () => view(job));
    const bar = over ? null : make("progress", { max: 1 });
    bar?.setAttribute("aria-label", `Colouring of ${job.name}`);
    const buttons = job.state === "done" ? [watch, downloadLink(job), removeButton(job)] : [removeButton(job)];
    card.replaceChildren(make("div", { className: "picture" }), make("h3", {}, job.name), make("p"), ...(bar ? [bar] : []),
      make("div", { className: "buttons" }, ...buttons));
  }
  const line = card.querySelector("p");
  line.textContent = standing(job);
  line.classList.toggle("fault", job.state === "failed");
  const bar = card.querySelector("progress");
  if (bar && job.total) bar.value = job.frames / job.total;
  if (job.preview_url) preview(job, card);
}

function preview(job, card) {
  let picture = card.querySelector("img.picture");
  if (!picture) {
    picture = make("img", { className: "picture", alt: `Latest frame of ${job.name} in colour` });
    card.querySelector(".picture").replaceWith(picture);
  }
  const turn = Math.floor(Date.now() / 1000); // the server makes a new one each second
  if (picture.turn !== turn) { picture.turn = turn; picture.src = `${job.preview_url}?n=${turn}`; }
}

function close() {
  open = null;
  $("film-viewer").hidden = true;
  $("film-viewer").replaceChildren();
}

// Result and original in one frame, under one set of controls.
function view(job) {
  open = job.id;
  const after = make("video", { className: "after", src: job.result_url, playsInline: true, preload: "auto" });
  after.setAttribute("aria-label", `${job.name} in colour`);
  const before = job.source_url
    ? make("video", { className: "before", src: job.source_url, playsInline: true, preload: "auto", muted: true }) : null;
  before?.setAttribute("aria-label", `${job.name} as it was`);
  const compare = make("div", { className: "compare" }, after, before);
  if (before) addDivider(compare, "Bar between the original and its colours");
  shape(compare, job.width, job.height);
  const viewer = $("film-viewer");
  viewer.replaceChildren(make("div", { className: "stage" }, compare), controls(job, after, before));
  viewer.hidden = false;
  viewer.scrollIntoView({ block: "nearest" });
}

function controls(job, after, before) {
  const play = make("button", { type: "button", id: "film-play" }, "Play");
  const seek = make("input", { type: "range", id: "film-seek", min: 0, max: 1, step: "any", value: 0 });
  seek.setAttribute("aria-label", "Place in the film");
  const time = make("output", {}, "0:00");
  const sound = make("button", { type: "button" }, "Mute");
  const leave = make("button", { type: "button" }, "Close");
  play.addEventListener("click", () => (after.paused ? after.play() : after.pause()));
  sound.addEventListener("click", () => {
    after.muted = !after.muted;
    sound.textContent = after.muted ? "Sound" : "Mute";
  });
  leave.addEventListener("click", close);
  seek.addEventListener("input", () => { after.currentTime = seek.value; });
  after.addEventListener("loadedmetadata", () => {
    seek.max = after.duration;
    shape(after.parentElement, after.videoWidth, after.videoHeight);
  });
  after.addEventListener("timeupdate", () => {
    seek.value = after.currentTime;
    time.textContent = duration(after.currentTime);
    seek.setAttribute("aria-valuetext", `${duration(after.currentTime)} of ${duration(after.duration)}`);
  });
  for (const name of ["play", "pause"]) after.addEventListener(name, () => { play.textContent = after.paused ? "Play" : "Pause"; });
  after.addEventListener("error", () => { play.disabled = true; time.textContent = "cannot be played here"; });
  if (before) follow(after, before);
  return make("div", { className: "player" }, play, seek, time, sound, downloadLink(job), leave);
}

// The original goes with the result: same place, same pace.
function follow(after, before) {
  const align = () => { if (Math.abs(before.currentTime - after.currentTime) > APART) before.currentTime = after.currentTime; };
  after.addEventListener("play", () => { align(); before.play().catch(() => {}); });
  after.addEventListener("pause", () => { before.pause(); align(); });
  after.addEventListener("seeking", () => { before.currentTime = after.currentTime; });
  after.addEventListener("timeupdate", align);
}
