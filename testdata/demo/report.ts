// A sales report: reads a CSV file, sums it by month and region, prints a
// table, and leaves a chart as SVG in /artifacts.
import { readFileSync, writeFileSync } from "node:fs";
import { barChart } from "./chart.ts";

interface Sale {
  month: string;
  region: string;
  product: string;
  revenue: number;
}

const [header, ...lines] = readFileSync("sales.csv", "utf8").trim().split("\n");
const column = Object.fromEntries(header.split(",").map((name, i) => [name, i]));
const sales: Sale[] = lines.map((line) => {
  const cells = line.split(",");
  return {
    month: cells[column.date].slice(0, 7),
    region: cells[column.region],
    product: cells[column.product],
    revenue: Number(cells[column.units]) * Number(cells[column.unit_price]),
  };
});

function sumBy(key: "month" | "region" | "product"): Map<string, number> {
  const sums = new Map<string, number>();
  for (const sale of sales) sums.set(sale[key], (sums.get(sale[key]) ?? 0) + sale.revenue);
  return sums;
}

export default (input: { title: string }) => {
  const byRegion = sumBy("region");
  console.table([...byRegion].map(([region, revenue]) => ({ region, revenue: Math.round(revenue) })));

  const byMonth = sumBy("month");
  writeFileSync("/artifacts/revenue.svg", barChart(input.title, byMonth));

  const [bestMonth] = [...byMonth].reduce((a, b) => (b[1] > a[1] ? b : a));
  const total = sales.reduce((sum, sale) => sum + sale.revenue, 0);
  return { rows: sales.length, total: Math.round(total), bestMonth, products: [...sumBy("product").keys()] };
};
