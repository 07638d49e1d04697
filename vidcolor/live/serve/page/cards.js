// What film and photo tab have in common: files become uploads, uploads become jobs, each with its card.

import { dropZone } from "./drop.js";
import { $, clock, plural, say, size, span, strength, write } from "./text.js";
import { refusal, send, Uploads } from "./upload.js";

const PREVIEW = 1000; // ms between two preview frames; the server makes no more

const MOST = 4; // lines of what went wrong that are shown

// One of the two tabs. `name`: "film" or "photo", as in index.html; `kind`: as the server calls it;
// `finish(card, job, fresh)`: fills the card of a job that is done, once; gives what is to be closed with it, or nothing.
export class Shelf {
  constructor({ name, kind, jobs, limits, finish }) {
    Object.assign(this, { kind, jobs, limits, finish });
    this.list = $(`#${name}s`);
    this.template = $(`#${name}-card`);
    this.message = $(`#${name}-message`);
    this.strength = strength(name);
    this.faults = []; // what went wrong with the files chosen last
    this.cards = new Map(); // job id -> { root, closer }
    this.fresh = new Set(); // ids of jobs that were uploaded since the page was opened
    this.uploads = new Uploads((item) => this.upload(item));
    addEventListener("beforeunload", (event) => this.uploads.busy && event.preventDefault());
    dropZone($(`#${name}-file`).parentElement, (files) => this.take(files));
    jobs.listen((all) => this.show(all.filter((job) => job.kind === kind)));
  }

  take(files) {
    if (!this.uploads.busy) this.faults = [];
    say(this.message, "");
    for (const file of files) this.tell(refusal(file, this.limits));
    const strong = this.strength();
    const items = files.filter((file) => !refusal(file, this.limits)).map((file) => {
      const item = { file, strength: strong, root: this.card(file.name), stop: new AbortController() };
      $(".facts", item.root).textContent = size(file.size);
      $(".status", item.root).textContent = "Waiting for its turn to be sent";
      $(".progress progress", item.root).value = 0;
      $(".remove", item.root).addEventListener("click", () => {
        this.uploads.drop(item);
        item.stop.abort();
        this.away(item.root);
      });
      return item;
    });
    this.list.prepend(...items.map((item) => item.root).reverse());
    this.uploads.push(items);
  }

  async upload({ file, strength: strong, root, stop }) {
    const progress = (part) => {
      $("progress", root).value = part;
      write($(".status", root), part < 1 ? `Sending, ${Math.round(100 * part)} %` : "Sent; the server looks into it");
    };
    try {
      const job = await send(file, { kind: this.kind, strength: strong, progress, signal: stop.signal });
      this.fresh.add(job.id);
      const focused = root.contains(document.activeElement);
      root.remove();
      this.jobs.add(job);
      if (focused) $(".remove", this.cards.get(job.id)?.root ?? this.list)?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.away(root);
      this.tell(error.message.includes(file.name) ? error.message : `${file.name}: ${error.message}`);
    }
  }

  // Of many files several may fail: none of the lines takes the place of another.
  tell(line) {
    if (!line) return;
    this.faults.push(line);
    const more = this.faults.length - MOST;
    say(this.message, [...this.faults.slice(0, MOST), ...(more > 0 ? [`And ${plural(more, "file")} more.`] : [])].join("\n"), { fault: true });
  }

  card(name) {
    const root = this.template.content.firstElementChild.cloneNode(true);
    $(".name", root).textContent = name;
    $(".remove", root).setAttribute("aria-label", `Cancel ${name}`);
    return root;
  }

  // Takes a card away without losing the place of who works with the keyboard.
  away(root) {
    const focused = root.contains(document.activeElement);
    const next = root.nextElementSibling ?? root.previousElementSibling;
    root.remove();
    if (focused) (next ? $(".remove", next) : $(".intake input", this.list.parentElement))?.focus();
  }

  show(list) {
    const known = new Set(list.map((job) => job.id));
    for (const [id, card] of this.cards) {
      if (known.has(id)) continue;
      card.closer?.close();
      this.away(card.root);
      this.cards.delete(id);
    }
    for (const job of [...list].reverse()) {
      if (!this.cards.has(job.id)) this.add(job);
      this.fill(this.cards.get(job.id), job);
    }
  }

  add(job) {
    const root = this.card(job.name);
    root.dataset.job = job.id;
    $(".remove", root).addEventListener("click", async () => {
      try {
        await this.jobs.remove(job.id);
      } catch (error) {
        say(this.message, error.message, { fault: true });
      }
    });
    this.cards.set(job.id, { root, closer: null, done: false });
    this.list.prepend(root);
  }

  fill(card, job) {
    const { root } = card;
    root.dataset.state = job.state;
    write($(".facts", root), facts(job));
    write($(".fault", root), job.error ?? (job.state === "cancelled" ? "Cancelled." : ""));
    const working = job.state === "queued" || job.state === "running";
    $(".working", root).hidden = !working;
    if (working) this.advance(card, job);
    write($(".remove", root), working ? "Cancel" : "Remove");
    $(".remove", root).setAttribute("aria-label", `${working ? "Cancel" : "Remove"} ${job.name}`);
    if (job.state !== "done" || card.done) return;
    card.done = true;
    const download = $(".download", root);
    download.href = job.download_url;
    download.hidden = false;
    download.setAttribute("aria-label", `Download ${job.name} in colour`);
    // For who does not see the card change; the others need no line.
    if (this.fresh.has(job.id)) write($("#news"), `${job.name} is ready.`);
    card.closer = this.finish(root, job, this.fresh.has(job.id)) ?? null;
  }

  advance(card, job) {
    const { root } = card;
    const bar = $("progress", root);
    bar.setAttribute("aria-label", `Progress of ${job.name}`);
    if (job.total && job.state === "running") bar.value = Math.min(1, job.frames / job.total);
    else if (job.state === "queued") bar.value = 0;
    else bar.removeAttribute("value"); // the length is not known: the bar only moves
    write($(".status", root), status(job));
    const preview = $(".preview", root);
    const now = performance.now();
    if (preview && job.preview_url && now - (card.previewed ?? -PREVIEW) >= PREVIEW) {
      card.previewed = now;
      preview.src = `${job.preview_url}?n=${job.frames}`;
      preview.hidden = false;
    }
  }
}

function status(job) {
  if (job.state === "queued") {
    return job.place ? `Queued, ${plural(job.place, "job")} before it` : "Queued, next in turn";
  }
  if (job.kind === "still") return "Being coloured";
  const frames = job.total ? `${job.frames} of ${plural(job.total, "frame")}` : plural(job.frames, "frame");
  const rate = job.fps ? `, ${job.fps.toFixed(1)} a second` : "";
  return `${frames}${rate}${job.seconds_left === null ? "" : `, ${span(job.seconds_left)} left`}`;
}

function facts(job) {
  const parts = [job.width && job.height ? `${job.width} × ${job.height}` : "", job.kind === "film" && job.duration ? length(job.duration) : "",
    job.size ? size(job.size) : "", job.expires_in === null ? "" : `kept for ${span(Math.ceil(job.expires_in / 60) * 60)}`];
  return parts.filter(Boolean).join(" · ");
}

const length = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)} s` : clock(seconds));
