// What a recipe is.

// Of a recipe that does not say for how many it is.
export const DEFAULT_SERVINGS = 6;

// Throws when something is missing; gives a recipe with all its members.
export function check(recipe) {
  if (!recipe.name) throw new TypeError("a recipe needs a name");
  if (!Array.isArray(recipe.ingredients)) throw new TypeError(`${recipe.name} has no ingredients`);
  return { servings: DEFAULT_SERVINGS, ...recipe };
}
