// barChart draws one bar a value, as SVG.
export function barChart(title: string, values: Map<string, number>): string {
  const width = 760, height = 360, left = 60, bottom = 50, top = 50;
  const most = Math.max(...values.values());
  const step = (width - left - 20) / values.size;
  const scale = (height - top - bottom) / most;
  const escape = (s: string) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const bars = [...values].map(([name, value], i) => {
    const x = left + i * step, h = value * scale, y = height - bottom - h;
    return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${(step * 0.7).toFixed(1)}" height="${h.toFixed(1)}" rx="3" fill="#3b6ea8"/>` +
      `<text x="${(x + step * 0.35).toFixed(1)}" y="${height - bottom + 18}" text-anchor="middle">${escape(name.slice(5))}</text>`;
  });
  const lines = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const y = (height - bottom - part * most * scale).toFixed(1);
    return `<line x1="${left}" x2="${width - 20}" y1="${y}" y2="${y}" stroke="#ddd"/>` +
      `<text x="${left - 8}" y="${y}" text-anchor="end" dy="4">${Math.round((part * most) / 1000)}k</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="28" font-size="18" font-weight="bold">${escape(title)}</text>
${lines.join("\n")}
${bars.join("\n")}
</svg>
`;
}
