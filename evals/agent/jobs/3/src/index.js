export { Queue } from "./queue.js";
export { Worker } from "./worker.js";
