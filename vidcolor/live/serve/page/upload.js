// Files on their way to the server, one after the other.

import { fault, ServerError } from "./api.js";
import { size } from "./text.js";

// Sends one file. `progress` gets 0 to 1; the promise gives the job, or rejects with the server's line.
// XMLHttpRequest, because fetch does not tell how much has been sent.
export function send(file, { kind, strength, progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ kind, strength: String(strength), name: file.name });
    request.open("POST", `/api/jobs?${query}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => progress(event.total ? event.loaded / event.total : 0));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(fault(request.status, request.responseText));
    });
    request.addEventListener("error", () => reject(new ServerError(0, `The upload of ${file.name} broke off. Try it again.`)));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) request.abort();
    request.send(file);
  });
}

// A queue of uploads: one at a time, so that the first file is being coloured while the second is on its way.
export class Uploads {
  // start: called with a file when its turn comes; gives a promise that is settled when it is through.
  constructor(start) {
    this.start = start;
    this.waiting = [];
    this.busy = false;
  }

  push(items) {
    this.waiting.push(...items);
    if (!this.busy) this.run();
  }

  drop(item) {
    this.waiting = this.waiting.filter((each) => each !== item);
  }

  async run() {
    this.busy = true;
    while (this.waiting.length) await this.start(this.waiting.shift());
    this.busy = false;
  }
}

// Why a file cannot be taken, before anything is sent; null when nothing speaks against it.
export function refusal(file, limits) {
  if (file.size === 0) return `${file.name} is empty.`;
  if (file.size > limits.max_bytes) {
    return `${file.name} has ${size(file.size)}; this server takes up to ${size(limits.max_bytes)}. Cut it, or encode it smaller.`;
  }
  return null;
}
