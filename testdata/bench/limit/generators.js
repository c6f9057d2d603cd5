function* forever() {
  for (;;) yield* [1, 2, 3];
}
let sum = 0;
for (const n of forever()) sum += n;
