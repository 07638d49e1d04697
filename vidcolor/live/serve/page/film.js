// The film tab: what a finished film's card shows, the two films under one divider.

import { Shelf } from "./cards.js";
import { Player } from "./player.js";
import { $ } from "./text.js";

export function films(jobs, limits) {
  new Shelf({ name: "film", kind: "film", jobs, limits, finish });
}

// A film that was uploaded just now is opened, unless another is being watched; the rest wait to be asked for, so that
// nothing is loaded in vain.
function finish(root, job, fresh) {
  const open = $(".open", root);
  const viewer = $(".viewer", root);
  let player = null;

  function toggle(on) {
    open.setAttribute("aria-expanded", String(on));
    open.textContent = on ? "Close" : "Compare";
    open.setAttribute("aria-label", `${open.textContent} ${job.name}`);
    viewer.hidden = !on;
    if (on) player ??= new Player(viewer, { source: job.source_url, result: job.result_url });
    else player?.pause();
  }

  open.hidden = false;
  open.addEventListener("click", () => toggle(viewer.hidden));
  toggle(fresh && !root.parentElement.querySelector('.open[aria-expanded="true"]'));
  return { close: () => player?.close() };
}
