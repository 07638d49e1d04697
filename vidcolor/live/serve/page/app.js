// The tabs, the messages and the list of jobs that films and photographs share.

import { watchJobs } from "./api.js";
import { startFilm } from "./film.js";
import { startLive } from "./live.js";
import { startPhotos } from "./photo.js";

const tabs = [...document.querySelectorAll('[role="tab"]')];

function select(tab, focus = false) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
  history.replaceState(null, "", `#${tab.id.slice(4)}`);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const index = tabs.indexOf(tab);
    if (step) select(tabs[(index + step + tabs.length) % tabs.length], true);
    else if (event.key === "Home") select(tabs[0], true);
    else if (event.key === "End") select(tabs[tabs.length - 1], true);
    else return;
    event.preventDefault();
  });
}
select(tabs.find((t) => `#${t.id.slice(4)}` === location.hash) ?? tabs[0]);

for (const range of document.querySelectorAll('input[type="range"]')) {
  const shown = document.getElementById(`${range.id}-shown`);
  range.addEventListener("input", () => { shown.textContent = Number(range.value).toFixed(1); });
}

startLive();
const showers = [startFilm(), startPhotos()];
watchJobs((jobs) => showers.forEach((show) => show(jobs)));
