import assert from "node:assert/strict";
import { test } from "node:test";

import { delayBefore } from "../src/backoff.js";

test("the delay doubles", () => {
  assert.equal(delayBefore(0), 100);
  assert.equal(delayBefore(1), 200);
  assert.equal(delayBefore(2), 400);
});

test("the delay has a limit", () => {
  assert.equal(delayBefore(20), 5000);
});
