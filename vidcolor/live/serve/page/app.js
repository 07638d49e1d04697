// Starts the page: tabs, the server's limits, the stream of jobs, and the three panels.

import { call } from "./api.js";
import { guardPage } from "./drop.js";
import { films } from "./film.js";
import { Jobs } from "./jobs.js";
import { live } from "./live.js";
import { photos } from "./photo.js";
import { tabs } from "./tabs.js";
import { $, say, size, span } from "./text.js";

async function start() {
  guardPage();
  tabs($('[role="tablist"]'), () => {});
  const lost = $("#lost");
  let limits;
  try {
    limits = await call("GET", "/api/limits");
  } catch (error) {
    say(lost, error.message, { fault: true, action: "Reload", onAction: () => location.reload() });
    return;
  }
  describe(limits);
  const reload = { action: "Reload", onAction: () => location.reload() };
  const jobs = new Jobs((error) => say(lost, error?.message ?? "", { fault: true, ...(error?.status === 401 ? reload : {}) }));
  live();
  films(jobs, limits);
  photos(jobs, limits);
  jobs.start();
}

// What the server takes, beside the files it is dropped on.
function describe(limits) {
  const kept = `Kept for ${span(limits.keep_seconds)}; nobody but you sees it.`;
  $("#film-hint").textContent = `${kinds(limits.film_types)}, up to ${size(limits.max_bytes)} and ${span(limits.max_seconds)}. ${kept}`;
  $("#photo-hint").textContent = `${kinds(limits.still_types)}, up to ${size(limits.max_bytes)}. ${kept}`;
  $("#film-file").accept = [...limits.film_types, "video/*"].join(",");
  $("#photo-file").accept = [...limits.still_types, "image/*"].join(",");
  for (const name of ["live", "film", "photo"]) {
    const slider = $(`#${name}-strength`);
    slider.value = String(limits.strength ?? 1);
    slider.dispatchEvent(new Event("input"));
  }
}

// ".mp4", ".mkv" ... in a few words: the ones that people know first.
function kinds(types) {
  const names = types.map((type) => type.slice(1).toUpperCase());
  return names.length > 5 ? `${names.slice(0, 4).join(", ")} and ${names.length - 4} more kinds` : names.join(", ");
}

start();
