// A place to drop files on, which is a file input too: for keyboards, phones and screen readers.

export function dropZone(zone, chosen) {
  const input = zone.querySelector("input");
  const over = (on) => zone.classList.toggle("over", on);

  input.addEventListener("change", () => {
    chosen([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  zone.addEventListener("dragleave", () => over(false));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    chosen([...event.dataTransfer.files]);
  });
}

// A file that misses the zone would replace the page by itself.
export function guardPage() {
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
}
