// How long to wait before another try.

export const FIRST_DELAY_MS = 100;
export const LONGEST_DELAY_MS = 5000;

// Doubles with each try, up to a limit.
export function delayBefore(attempt) {
  return Math.min(FIRST_DELAY_MS * 2 ** attempt, LONGEST_DELAY_MS);
}
