import assert from "node:assert/strict";
import { test } from "node:test";

import { convert } from "../src/units.js";

test("four cups are a litre", () => {
  assert.equal(convert(4, "cup", "l"), 1);
});

test("an unknown unit is refused", () => {
  assert.throws(() => convert(1, "bucket", "l"), RangeError);
});
