// Amounts as they stand in a cookbook.

const FRACTIONS = new Map([
  [0.25, "¼"],
  [0.5, "½"],
  [0.75, "¾"],
]);

// "1½ piece", "250 g"
export function format({ amount, unit }) {
  const whole = Math.floor(amount);
  const fraction = FRACTIONS.get(amount - whole);
  if (fraction) return `${whole || ""}${fraction} ${unit}`;
  return `${Math.round(amount * 10) / 10} ${unit}`;
}
