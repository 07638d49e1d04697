// The photo tab: each picture with its original under the divider.

import { Shelf } from "./cards.js";
import { Divider } from "./divider.js";
import { $ } from "./text.js";

export function photos(jobs, limits) {
  new Shelf({ name: "photo", kind: "still", jobs, limits, finish });
}

function finish(root, job) {
  const stage = $(".stage", root);
  const divider = new Divider(stage);
  const result = $(".result", root);
  const source = $(".source", root);
  // A photograph may lie on its side until its EXIF is read: the shape is the shown picture's, not the file's.
  result.addEventListener("load", () => divider.shape(result.naturalWidth, result.naturalHeight));
  result.addEventListener("error", () => (stage.hidden = true)); // TIFF: no browser shows it, the download remains
  result.alt = `${job.name} in colour`;
  source.alt = `${job.name} as it was`;
  stage.classList.toggle("single", !job.source_url);
  stage.hidden = false;
  divider.shape(job.width, job.height);
  result.src = job.result_url;
  if (job.source_url) source.src = job.source_url;
}
