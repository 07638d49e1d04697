// The bar between before and after: dragged by mouse or finger, moved by keys.

export function addDivider(compare, label) {
  const bar = document.createElement("div");
  bar.className = "divider";
  bar.tabIndex = 0;
  bar.setAttribute("role", "slider");
  bar.setAttribute("aria-label", label);
  bar.setAttribute("aria-valuemin", 0);
  bar.setAttribute("aria-valuemax", 100);
  compare.append(bar);
  let place = 50;

  function put(percent) {
    place = Math.min(100, Math.max(0, percent));
    compare.style.setProperty("--bar", `${place}%`);
    bar.setAttribute("aria-valuenow", Math.round(place));
    bar.setAttribute("aria-valuetext", `${Math.round(place)} per cent before, the rest in colour`);
  }

  function follow(event) {
    const box = compare.getBoundingClientRect();
    put((100 * (event.clientX - box.left)) / box.width);
  }

  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    follow(event);
    event.preventDefault();
    bar.focus();
  });
  bar.addEventListener("pointermove", (event) => {
    if (bar.hasPointerCapture(event.pointerId)) follow(event);
  });
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 }[event.key];
    if (step) put(place + step);
    else if (event.key === "Home") put(0);
    else if (event.key === "End") put(100);
    else return;
    event.preventDefault();
  });
  put(place);
  return bar;
}

// Give the frame the picture's own shape, so that the bar runs along its edges.
export function shape(compare, width, height) {
  if (!width || !height) return;
  compare.style.setProperty("--aspect", `${width} / ${height}`);
  compare.style.setProperty("--ratio", width / height);
}
