// What to buy for several dishes.

// One line for each ingredient, in the order of the alphabet.
// TODO: leave out what the cellar still has
export function shoppingList(recipes) {
  const sums = new Map();
  for (const recipe of recipes) {
    for (const { name, amount, unit } of recipe.ingredients) {
      const before = sums.get(name) ?? { amount: 0, unit };
      sums.set(name, { amount: before.amount + amount, unit: before.unit });
    }
  }
  const names = [...sums.keys()].sort();
  return names.map((name) => ({ name, ...sums.get(name) }));
}
