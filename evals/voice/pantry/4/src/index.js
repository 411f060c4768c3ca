export { format } from "./format.js";
export { check } from "./recipe.js";
export { scale } from "./scale.js";
export { shoppingList } from "./shopping.js";
