import assert from "node:assert/strict";
import { test } from "node:test";

import { Queue } from "../src/queue.js";

test("jobs are taken in order", () => {
  const queue = new Queue();
  queue.push("a");
  queue.push("b");
  assert.equal(queue.take(), "a");
  assert.equal(queue.take(), "b");
  assert.equal(queue.take(), undefined);
});

test("the length counts waiting jobs", () => {
  const queue = new Queue();
  assert.equal(queue.length, 0);
  queue.push("a");
  assert.equal(queue.length, 1);
});
