// The parser and the compiler: a generated program, compiled and run.
(() => {
  let source = "let total = 0;\n";
  for (let i = 0; i < 600; i++) {
    source += `
function part${i}({ width, height = ${i} }, ...more) {
  const area = width * height, list = [];
  for (let k = 0; k < more.length; k++) {
    if (k % 2 === 0) list.push({ k, area: area + more[k] });
    else list.push((x) => x + \`\${area}-${i}\`);
  }
  switch (list.length) {
    case 0: return area;
    case 1: return list[0].area;
    default: return list.map((e) => typeof e === "function" ? e(1).length : e.area).reduce((a, b) => a + b);
  }
}
total += part${i}({ width: ${i % 13} }, 1, 2, 3);
`;
  }
  return new Function(source + "return total;")();
})()
