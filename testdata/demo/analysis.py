# A sales report: groups a CSV file, draws a chart, exports a workbook, and
# reads it back.
import matplotlib.pyplot as plt
import pandas as pd

sales = pd.read_csv("sales.csv", parse_dates=["date"])
sales["revenue"] = sales.units * sales.unit_price
months = sales.pivot_table(index=sales.date.dt.strftime("%Y-%m"), columns="region", values="revenue", aggfunc="sum").round()
months.index.name = "month"

months.plot.bar(stacked=True, figsize=(9, 5), title="Revenue by month and region")
plt.ylabel("revenue")
plt.tight_layout()
plt.savefig("/artifacts/revenue.png", dpi=100)
plt.close()

products = sales.groupby("product").revenue.agg(["sum", "mean", "count"]).sort_values("sum", ascending=False)
with pd.ExcelWriter("/artifacts/sales.xlsx") as book:
    months.to_excel(book, sheet_name="months")
    products.to_excel(book, sheet_name="products")

again = pd.read_excel("/artifacts/sales.xlsx", sheet_name="months", index_col="month")
print(products.round(2))
{"rows": len(sales), "months": len(again), "total": int(again.to_numpy().sum()), "same": bool((again.to_numpy() == months.to_numpy()).all())}
