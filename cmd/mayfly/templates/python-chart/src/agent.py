import csv
import io
from html import escape

from workers import WorkerEntrypoint

COLORS = ["#5b5bd6", "#0d9488", "#e11d48", "#d97706"]


class Default(WorkerEntrypoint):
    async def draw(self, name, text):
        rows = list(csv.reader(io.StringIO(text.strip())))
        months = [row[0] for row in rows[1:]]
        series = {title: [float(row[i]) for row in rows[1:]] for i, title in enumerate(rows[0]) if i}
        await self.env.CHARTS.put(name, chart(months, series))
        best = max(series, key=lambda title: sum(series[title]))
        return f"{len(months)} months; most of {best}"


def chart(labels, series, width=720, height=360, margin=48):
    top = max(max(values) for values in series.values())
    x = lambda i: margin + i * (width - 2 * margin) / (len(labels) - 1)
    y = lambda v: height - margin - v * (height - 2 * margin) / top
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">']
    for step in range(5):
        v = top * step / 4
        parts.append(f'<path d="M{margin} {y(v):.1f}H{width - margin}" stroke="#ddd"/><text x="{margin - 8}" y="{y(v) + 4:.1f}" text-anchor="end" fill="#777">{v:g}</text>')
    for i, label in enumerate(labels):
        parts.append(f'<text x="{x(i):.1f}" y="{height - margin + 20}" text-anchor="middle" fill="#777">{escape(label)}</text>')
    for n, (title, values) in enumerate(series.items()):
        color = COLORS[n % len(COLORS)]
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="3" stroke-linejoin="round"/>')
        parts.append(f'<circle cx="{margin + n * 120}" cy="20" r="5" fill="{color}"/><text x="{margin + 12 + n * 120}" y="24">{escape(title)}</text>')
    return "".join(parts) + "</svg>"
