import assert from "node:assert/strict";
import { test } from "node:test";

import { shoppingList } from "../src/shopping.js";

const soup = { ingredients: [{ name: "leeks", amount: 3, unit: "piece" }] };
const pie = {
  ingredients: [
    { name: "flour", amount: 400, unit: "g" },
    { name: "leeks", amount: 2, unit: "piece" },
  ],
};

test("the same ingredient is bought once", () => {
  const leeks = shoppingList([soup, pie]).find((it) => it.name === "leeks");
  assert.equal(leeks.amount, 5);
});

test("every ingredient is on the list", () => {
  const names = shoppingList([soup, pie]).map((it) => it.name);
  assert.equal(names.length, 2);
  assert.ok(names.includes("flour"));
});
