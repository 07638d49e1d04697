// Numbers as people read them, and the few helpers that every part of the page needs.

export const $ = (selector, root = document) => root.querySelector(selector);

export function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) {
    bytes /= 1000;
    step += 1;
  }
  return `${bytes >= 10 || step === 0 ? Math.round(bytes) : Number(bytes.toFixed(1))} ${units[step]}`;
}

// A span of time in words: "40 s", "3 min", "2 hours".
export function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  const hours = Math.round(seconds / 3600);
  return hours === 1 ? "1 hour" : `${hours} hours`;
}

// A place in a film: "1:05".
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

// Writes only what has changed: a live region would be read aloud anew, and a selection lost.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A line in a polite live region: a fault, or just news; with one thing to do about it, if there is one.
export function say(region, text, { fault = false, action = null, onAction = null } = {}) {
  region.classList.toggle("fault", fault);
  region.replaceChildren();
  if (!text) return;
  const line = document.createElement("span");
  line.textContent = text;
  region.append(line);
  if (action) {
    const button = document.createElement("button");
    button.textContent = action;
    button.addEventListener("click", onAction);
    region.append(button);
  }
}

// A strength slider with its value beside it; `changed` gets the number.
export function strength(name, changed = () => {}) {
  const slider = $(`#${name}-strength`);
  const shown = $(`#${name}-strength-value`);
  const update = () => {
    const value = Number(slider.value);
    shown.value = value === 0 ? "0 (grey)" : value.toFixed(2);
    slider.setAttribute("aria-valuetext", shown.value);
    changed(value);
  };
  slider.addEventListener("input", update);
  update();
  return () => Number(slider.value);
}
