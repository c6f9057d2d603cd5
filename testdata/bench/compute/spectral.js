// Floating point on typed arrays: the largest singular value of a matrix.
(() => {
  const entry = (row, column) => 1 / (((row + column) * (row + column + 1)) / 2 + row + 1);
  const multiply = (from, to, transposed) => {
    for (let i = 0; i < to.length; i++) {
      let sum = 0;
      for (let k = 0; k < from.length; k++) sum += (transposed ? entry(k, i) : entry(i, k)) * from[k];
      to[i] = sum;
    }
  };
  const n = 70;
  const u = new Float64Array(n).fill(1), v = new Float64Array(n), w = new Float64Array(n);
  for (let i = 0; i < 8; i++) {
    multiply(u, w, false);
    multiply(w, v, true);
    multiply(v, w, false);
    multiply(w, u, true);
  }
  let dot = 0, square = 0;
  for (let i = 0; i < n; i++) {
    dot += u[i] * v[i];
    square += v[i] * v[i];
  }
  return Math.sqrt(dot / square);
})()
