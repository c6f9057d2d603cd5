// Strings: built, searched, split and measured.
(() => {
  let text = "";
  for (let i = 0; i < 30000; i++) text += String.fromCharCode(97 + (i * 7) % 26) + (i % 10 === 0 ? " " : "");
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  const words = text.split(" ");
  const lengths = {};
  for (const word of words) lengths[word] = (lengths[word] ?? 0) + word.length;
  let out = [];
  for (let i = 0; i < 10000; i++) out.push(`${i}: ${words[i % words.length].toUpperCase().padEnd(14, ".")}|`);
  const joined = out.join("\n");
  let at = -1, hits = 0;
  while ((at = joined.indexOf("9:", at + 1)) >= 0) hits++;
  return [hash, Object.keys(lengths).length, joined.length, hits, joined.replaceAll("..", "-").length];
})()
