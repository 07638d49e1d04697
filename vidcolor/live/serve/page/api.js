// What the page asks the server, and how faults are shown.

let timer = 0;

// One line at the foot of the page, read out by screen readers; it goes after a while.
export function say(text) {
  const line = document.getElementById("message");
  line.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => { line.textContent = ""; }, 9000);
}

// A request; gives the answer's JSON (null where there is none), or throws the server's own line.
export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const told = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Error(told?.error ?? `The server refused (${response.status}).`);
  return told;
}

// Send a file as a job; `progress` gets shares from 0 to 1. XMLHttpRequest, because fetch tells nothing of uploads.
export function upload(file, kind, strength, progress) {
  const query = new URLSearchParams({ kind, strength, name: file.name });
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", `/api/jobs?${query}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.onload = () => (request.status === 201
      ? resolve(request.response)
      : reject(new Error(request.response?.error ?? `The server refused (${request.status}).`)));
    // A server that refuses a large file closes the connection before all of it was sent.
    request.onerror = () => reject(new Error(`${file.name}: the upload broke off. Is it larger than the server takes?`));
    request.onabort = () => reject(new Error(`${file.name}: the upload was stopped.`));
    request.send(file);
  });
  return { done, stop: () => request.abort() };
}

// Tell `show` the list of jobs now and whenever it changes; the browser connects again by itself.
export function watchJobs(show) {
  const events = new EventSource("/api/jobs/events");
  events.onmessage = (event) => show(JSON.parse(event.data).jobs);
  addEventListener("pagehide", () => events.close());
}

let limits;

export function readLimits() {
  limits ??= ask("GET", "/api/limits");
  return limits;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60);
  return `${minutes}:${String(whole % 60).padStart(2, "0")}`;
}
