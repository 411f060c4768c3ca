import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_SERVINGS, scale } from "../src/scale.js";

const soup = {
  name: "Soup",
  servings: 4,
  ingredients: [{ name: "leeks", amount: 3, unit: "piece" }],
};

test("twice the people need twice as much", () => {
  const scaled = scale(soup, 8);
  assert.equal(scaled.servings, 8);
  assert.equal(scaled.ingredients[0].amount, 6);
});

test("the recipe itself stays as it was", () => {
  scale(soup, 8);
  assert.equal(soup.ingredients[0].amount, 3);
});

test("nobody cooks for more than the pot holds", () => {
  assert.throws(() => scale(soup, MAX_SERVINGS + 1), RangeError);
});
