async function storm() {
  for (;;) await null;
}
await Promise.all(Array.from({ length: 1000 }, storm));
