import assert from "node:assert/strict";
import { test } from "node:test";

import { Queue } from "../src/queue.js";
import { Worker } from "../src/worker.js";

test("a job that fails is tried again", async () => {
  const queue = new Queue();
  let tries = 0;
  queue.push(async () => {
    tries += 1;
    if (tries < 3) throw new Error("not yet");
  });
  await new Worker(queue, async () => {}).run();
  assert.equal(tries, 3);
});
