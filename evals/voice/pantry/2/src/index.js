export { check } from "./recipe.js";
export { scale } from "./scale.js";
