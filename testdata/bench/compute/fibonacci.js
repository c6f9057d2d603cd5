// Calls: a recursive function and a closure that counts.
(() => {
  let calls = 0;
  const fibonacci = (n) => {
    calls++;
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
  };
  return [fibonacci(27), calls];
})()
