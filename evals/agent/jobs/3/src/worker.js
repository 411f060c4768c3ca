// Does the jobs of a queue, one after the other.

import { delayBefore } from "./backoff.js";

export const MAX_RETRIES = 5;

export class Worker {
  constructor(queue, sleep) {
    this.queue = queue;
    this.sleep = sleep;
  }

  async run() {
    for (let job = this.queue.take(); job; job = this.queue.take()) {
      await this.attempt(job);
    }
  }

  async attempt(job) {
    for (let attempt = 0; ; attempt++) {
      try {
        return await job();
      } catch (error) {
        if (attempt >= MAX_RETRIES) throw error;
        await this.sleep(delayBefore(attempt));
      }
    }
  }
}
