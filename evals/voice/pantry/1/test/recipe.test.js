import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULT_SERVINGS, check } from "../src/recipe.js";

test("a recipe without a name is refused", () => {
  assert.throws(() => check({ ingredients: [] }), TypeError);
});

test("a recipe has servings", () => {
  assert.equal(check({ name: "Soup", ingredients: [] }).servings, DEFAULT_SERVINGS);
});
