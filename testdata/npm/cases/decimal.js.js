import { Decimal } from "decimal.js";
import { equal } from "../check.js";

equal(new Decimal("0.1").plus("0.2").toString(), "0.3");
equal(Decimal.set({ precision: 50 }) && new Decimal(2).sqrt().toString(), "1.4142135623730950488016887242096980785696718753769");
equal(new Decimal("1e500").times("1e500").toString(), "1e+1000");
equal(new Decimal("123.456").toFixed(1), "123.5");
equal(new Decimal(255).toHexadecimal(), "0xff");
equal(new Decimal(1).div(3).toSignificantDigits(5).toNumber(), 0.33333);
equal(Decimal.max("1.5", "10", "9").toString(), "10");
equal(new Decimal(2).pow(100).toFixed(), "1267650600228229401496703205376");
