import ExcelJS from "exceljs";
import { equal, ok } from "../check.js";

const book = new ExcelJS.Workbook();
const sheet = book.addWorksheet("Data");
sheet.columns = [{ header: "Name", key: "name", width: 20 }, { header: "Value", key: "value" }];
sheet.addRow({ name: "a", value: 1.5 });
sheet.addRow({ name: "b", value: 2 });
sheet.getCell("B4").value = { formula: "SUM(B2:B3)", result: 3.5 };
sheet.getCell("A1").font = { bold: true };
const bytes = await book.xlsx.writeBuffer();
ok(bytes.byteLength > 3000, "size");
const read = new ExcelJS.Workbook();
await read.xlsx.load(bytes);
const got = read.getWorksheet("Data");
equal([got.rowCount, got.getCell("A2").value, got.getCell("B3").value], [4, "a", 2]);
equal(got.getCell("B4").result, 3.5);
equal(got.getCell("A1").font.bold, true);
