// What to buy for several dishes.

import { convert } from "./units.js";

// One line for each ingredient, in the order of the alphabet.
// TODO: leave out what the cellar still has
export function shoppingList(recipes) {
  const sums = new Map();
  for (const recipe of recipes) {
    for (const { name, amount, unit } of recipe.ingredients) {
      const before = sums.get(name) ?? { amount: 0, unit };
      const more = unit === before.unit ? amount : convert(amount, unit, before.unit);
      sums.set(name, { amount: before.amount + more, unit: before.unit });
    }
  }
  const names = [...sums.keys()].sort();
  return names.map((name) => ({ name, ...sums.get(name) }));
}
