// Arbitrary precision: digits of pi by a spigot, and a modular power.
(() => {
  let q = 1n, r = 0n, t = 1n, k = 1n, n = 3n, l = 3n, digits = "";
  while (digits.length < 500) {
    if (4n * q + r - t < n * t) {
      digits += n;
      [q, r, n] = [10n * q, 10n * (r - n * t), (10n * (3n * q + r)) / t - 10n * n];
    } else {
      [q, r, t, k, n, l] = [q * k, (2n * q + r) * l, t * l, k + 1n, (q * (7n * k + 2n) + r * l) / (t * l), l + 2n];
    }
  }
  const modulus = 2n ** 521n - 1n;
  let base = 3n, exponent = 2n ** 200n + 12345n, power = 1n;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) power = (power * base) % modulus;
    base = (base * base) % modulus;
  }
  return [digits, power.toString(16)];
})()
