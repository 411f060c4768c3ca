// From one unit to another.

// In millilitres.
const VOLUMES = {
  ml: 1,
  l: 1000,
  cup: 250,
};

export function convert(amount, from, to) {
  for (const unit of [from, to]) {
    if (!(unit in VOLUMES)) throw new RangeError(`no such unit: ${unit}`);
  }
  return (amount * VOLUMES[from]) / VOLUMES[to];
}
