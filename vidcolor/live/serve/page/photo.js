// The photo tab: many pictures, each compared with its original.

import { addDivider, shape } from "./divider.js";
import { downloadLink, keepCards, make, removeButton, standing, takeFiles } from "./jobs.js";

const $ = (id) => document.getElementById(id);

export function startPhotos() {
  takeFiles({
    kind: "still", drop: $("photo-drop"), input: $("photo-file"), list: $("photo-jobs"), strength: $("photo-strength"),
  });
  return (jobs) => keepCards($("photo-jobs"), jobs.filter((job) => job.kind === "still"), draw);
}

function draw(job, card) {
  if (card.state === job.state) {
    card.querySelector("p").textContent = standing(job);
    return;
  }
  card.state = job.state;
  const line = make("p", { className: job.state === "failed" ? "fault" : "" }, standing(job));
  const buttons = job.state === "done" ? [downloadLink(job), removeButton(job)] : [removeButton(job)];
  card.replaceChildren(job.state === "done" ? picture(job) : make("div", { className: "picture" }), make("h3", {}, job.name), line,
    make("div", { className: "buttons" }, ...buttons));
}

function picture(job) {
  const after = make("img", { className: "after", src: job.result_url, alt: `${job.name} in colour` });
  const before = job.source_url ? make("img", { className: "before", src: job.source_url, alt: `${job.name} as it was` }) : null;
  const compare = make("div", { className: "compare" }, after, before);
  after.addEventListener("load", () => shape(compare, after.naturalWidth, after.naturalHeight));
  if (before) addDivider(compare, `Bar between ${job.name} as it was and its colours`);
  return compare;
}
