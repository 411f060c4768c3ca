export { check } from "./recipe.js";
