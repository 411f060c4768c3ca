import assert from "node:assert/strict";
import { test } from "node:test";

import { format } from "../src/format.js";

test("halves and quarters are written as fractions", () => {
  assert.equal(format({ amount: 1.5, unit: "piece" }), "1½ piece");
  assert.equal(format({ amount: 0.25, unit: "l" }), "¼ l");
});

test("anything else is rounded", () => {
  assert.equal(format({ amount: 33.333, unit: "g" }), "33.3 g");
});
