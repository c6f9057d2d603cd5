import Papa from "papaparse";
import { equal } from "../check.js";

const parsed = Papa.parse('name,age\n"Doe, Jane",30\nJohn,"4""0"\n', { header: true, skipEmptyLines: true });
equal(parsed.data, [{ name: "Doe, Jane", age: "30" }, { name: "John", age: '4"0' }]);
equal(parsed.meta.fields, ["name", "age"]);
equal(Papa.parse("1;2\n3;4", { dynamicTyping: true }).data, [[1, 2], [3, 4]]);
equal(Papa.parse("a\tb").meta.delimiter, "\t");
equal(Papa.unparse([{ a: 1, b: 'x"y' }, { a: null, b: "z,w" }]), 'a,b\r\n1,"x""y"\r\n,"z,w"');
equal(Papa.parse('a,"b').errors[0].code, "MissingQuotes");
const rows = [];
Papa.parse("1,2\n3,4\n", { step: (row) => rows.push(row.data), skipEmptyLines: true });
equal(rows, [["1", "2"], ["3", "4"]]);
