// What the lists of films and photographs have in common.

import { ask, duration, say, upload } from "./api.js";

// Elements in one go: make("p", { className: "x" }, "text", other).
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child != null));
  return element;
}

export function removeButton(job) {
  const running = job.state === "queued" || job.state === "running";
  const button = make("button", { type: "button" }, running ? "Cancel" : "Remove");
  button.setAttribute("aria-label", `${button.textContent} ${job.name}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    await ask("DELETE", `/api/jobs/${job.id}`).catch((error) => say(error.message));
  });
  return button;
}

export function downloadLink(job) {
  const link = make("a", { className: "button", href: job.download_url, download: "" }, "Download");
  link.setAttribute("aria-label", `Download ${job.name} in colour`);
  return link;
}

// Where a job stands, in one line.
export function standing(job) {
  if (job.state === "queued") return job.place ? `${job.place} before it` : "Next";
  if (job.state === "failed") return job.error;
  if (job.state === "cancelled") return "Cancelled";
  if (job.state === "done") {
    const kept = Math.max(1, Math.round(job.expires_in / 60));
    return `Ready; kept for ${kept} ${kept === 1 ? "minute" : "minutes"}`;
  }
  const share = job.total ? `${Math.min(100, Math.floor((100 * job.frames) / job.total))} %` : `${job.frames} frames`;
  const left = job.seconds_left == null ? "" : `, ${duration(job.seconds_left)} left`;
  return job.frames ? `${share}${left}, ${job.fps.toFixed(0)} frames a second` : "Begins";
}

// A place that takes files by choice and by drop, sends them one after the other and shows each until it is a job.
export function takeFiles({ kind, drop, input, list, strength, sent = () => {} }) {
  let chain = Promise.resolve();

  function take(files) {
    for (const file of files) {
      const bar = make("progress", { max: 1, value: 0 });
      bar.setAttribute("aria-label", `Upload of ${file.name}`);
      const cancel = make("button", { type: "button" }, "Cancel");
      const state = make("p", {}, "Waits to be sent");
      const card = make("li", { className: "job" }, make("div", { className: "picture" }), make("h3", {}, file.name), state, bar,
        make("div", { className: "buttons" }, cancel));
      list.prepend(card);
      let stopped = false;
      let sending = null;
      cancel.addEventListener("click", () => { stopped = true; sending?.stop(); card.remove(); });
      chain = chain.then(async () => {
        if (stopped) return;
        state.textContent = "Is being sent";
        sending = upload(file, kind, strength.value, (share) => {
          bar.value = share;
          if (share === 1) state.textContent = "Is looked into";
        });
        try {
          sent(await sending.done);
        } catch (error) {
          say(error.message);
        }
        card.remove();
      });
    }
  }

  input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
  for (const name of ["dragover", "dragenter"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); take([...event.dataTransfer.files]); });
}

// Bring the cards of `list` in line with `jobs`; `draw(job, card)` fills a card, anew only where something has changed.
export function keepCards(list, jobs, draw) {
  const cards = new Map([...list.querySelectorAll("[data-job]")].map((card) => [card.dataset.job, card]));
  for (const [id, card] of cards) if (!jobs.some((job) => job.id === id)) card.remove();
  for (const job of jobs) {
    let card = cards.get(job.id);
    if (!card) {
      card = make("li", { className: "job" });
      card.dataset.job = job.id;
    }
    const seen = JSON.stringify({ ...job, expires_in: Math.round((job.expires_in ?? 0) / 60) });
    if (card.seen !== seen) { card.seen = seen; draw(job, card); }
    if (!card.isConnected) list.append(card);
  }
}
