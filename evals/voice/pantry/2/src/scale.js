// The same dish for another number of people.

// What fits into the biggest pot of the hut.
export const MAX_SERVINGS = 80;

export function scale(recipe, servings) {
  if (!(servings > 0 && servings <= MAX_SERVINGS)) {
    throw new RangeError(`between 1 and ${MAX_SERVINGS} servings, not ${servings}`);
  }
  const factor = servings / recipe.servings;
  const ingredients = recipe.ingredients.map((it) => ({ ...it, amount: it.amount * factor }));
  return { ...recipe, servings, ingredients };
}
