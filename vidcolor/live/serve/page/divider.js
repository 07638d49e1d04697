// The bar between two pictures that lie on one another: by mouse, finger and keyboard.

const STEP = 2; // percent an arrow key moves
const LEAP = 10; // percent of Page Up and Page Down

export class Divider {
  // stage: an element of class "stage" with a .handle of role "slider" (see stage.css).
  constructor(stage) {
    this.stage = stage;
    this.handle = stage.querySelector(".handle");
    this.handle.setAttribute("aria-valuemin", "0");
    this.handle.setAttribute("aria-valuemax", "100");
    this.handle.addEventListener("keydown", (event) => this.key(event));
    stage.addEventListener("pointerdown", (event) => this.grab(event));
    // Without this a drag that starts on a picture drags the picture out of the page.
    stage.addEventListener("dragstart", (event) => event.preventDefault());
    this.move(50);
  }

  // percent: how much of the width, from the left, shows what was before.
  move(percent) {
    this.percent = Math.min(100, Math.max(0, percent));
    this.stage.style.setProperty("--split", `${this.percent}%`);
    const whole = Math.round(this.percent);
    this.handle.setAttribute("aria-valuenow", String(whole));
    this.handle.setAttribute("aria-valuetext", `${whole} % before, ${100 - whole} % coloured`);
  }

  // The stage takes the shape of the picture, so that the bar moves over picture only.
  shape(width, height) {
    if (width && height) this.stage.style.setProperty("--ratio", String(width / height));
  }

  key(event) {
    const to = {
      ArrowLeft: this.percent - STEP, ArrowDown: this.percent - STEP,
      ArrowRight: this.percent + STEP, ArrowUp: this.percent + STEP,
      PageDown: this.percent - LEAP, PageUp: this.percent + LEAP, Home: 0, End: 100,
    }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.move(to);
  }

  grab(event) {
    if (event.button !== 0 || this.stage.matches(".empty, .single")) return;
    this.stage.setPointerCapture(event.pointerId);
    this.handle.focus({ preventScroll: true });
    event.preventDefault(); // the browser would move the focus elsewhere
    this.follow(event);
    this.drag(event.pointerId);
  }

  // Heard on the window, not the stage: a drag goes on beyond the picture, also where the capture was lost.
  drag(pointer) {
    const over = new AbortController();
    const hear = (name, act) => addEventListener(name, (event) => event.pointerId === pointer && act(event), { signal: over.signal });
    hear("pointermove", (event) => this.follow(event));
    for (const name of ["pointerup", "pointercancel"]) hear(name, () => over.abort());
  }

  follow(event) {
    const box = this.stage.getBoundingClientRect();
    this.move(((event.clientX - box.left) / box.width) * 100);
  }
}
