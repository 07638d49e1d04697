// The visitor's jobs as the server tells them: one event stream for the whole page, handed to whoever listens.

import { call, ServerError } from "./api.js";

const PATIENCE = 3000; // ms before a stream that the server has closed is opened again

export class Jobs {
  // lost: called with a ServerError when the server is out of reach, with null when it is back.
  constructor(lost) {
    this.lost = lost;
    this.list = [];
    this.listeners = [];
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  async start() {
    try {
      this.take((await call("GET", "/api/jobs")).jobs);
    } catch (error) {
      this.lost(error);
      if (error.status === 401) return; // it was started anew and knows nobody: only a reload helps
      await new Promise((resolve) => setTimeout(resolve, PATIENCE));
    }
    this.stream();
  }

  stream() {
    const source = new EventSource("/api/jobs/events");
    source.addEventListener("open", () => this.lost(null));
    source.addEventListener("message", (event) => this.take(JSON.parse(event.data).jobs));
    source.addEventListener("error", () => {
      this.lost(new ServerError(0, "The server is out of reach; trying again …"));
      // The browser reconnects by itself, but not after an answer other than 200, whose reason it does not tell.
      if (source.readyState === EventSource.CLOSED) this.start();
    });
  }

  take(list) {
    this.list = list;
    for (const listener of this.listeners) listener(list);
  }

  // Shows a job before the event stream does.
  add(job) {
    if (!this.list.some((known) => known.id === job.id)) this.take([job, ...this.list]);
  }

  // Cancels a job that is under way, or removes a finished one, with its files.
  async remove(id) {
    try {
      await call("DELETE", `/api/jobs/${encodeURIComponent(id)}`);
    } catch (error) {
      if (error.status !== 404) throw error; // it has expired: gone is what was asked for
    }
    this.take(this.list.filter((job) => job.id !== id));
  }

  active() {
    return this.list.filter((job) => job.state === "queued" || job.state === "running").length;
  }
}
