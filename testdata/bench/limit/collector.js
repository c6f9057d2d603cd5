let keep = null;
for (let i = 0; ; i++) {
  keep = { keep: i % 300_000 === 0 ? null : keep, self: null };
  keep.self = keep;
}
