const numbers = new Float64Array(1_500_000);
for (;;) {
  for (let i = 0; i < numbers.length; i += 4) numbers[i] = (i * 7919) % 1000003;
  numbers.sort();
}
