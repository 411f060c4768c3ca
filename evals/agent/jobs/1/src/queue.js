// Jobs that wait, first in, first out.

export class Queue {
  constructor() {
    this.waiting = [];
  }

  push(job) {
    this.waiting.push(job);
  }

  // The next job, or undefined.
  take() {
    return this.waiting.shift();
  }

  get length() {
    return this.waiting.length;
  }
}
