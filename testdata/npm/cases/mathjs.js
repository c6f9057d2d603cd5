// needs eval
import { all, create } from "mathjs";
import { equal } from "../check.js";

const math = create(all);
equal(math.evaluate("sqrt(3^2 + 4^2)"), 5);
equal(math.format(math.evaluate("12.7 cm to inch"), 4), "5 inch");
equal(math.derivative("x^2 + 3 x", "x").toString(), "2 * x + 3");
equal(math.det([[1, 2], [3, 4]]), -2);
equal(math.multiply([[1, 2], [3, 4]], [[0, 1], [1, 0]]), [[2, 1], [4, 3]]);
equal(math.simplify("2x + 3x").toString(), "5 * x");
equal(math.format(math.fraction(0.125)), "1/8");
equal(math.bignumber("0.1").plus("0.2").toString(), "0.3");
equal(math.sqrt(-4).toString(), "2i");
equal([math.mean(1, 2, 3, 4), math.std([2, 4, 6]), math.median([5, 1, 3])], [2.5, 2, 3]);
const parser = math.parser();
parser.evaluate("f(x) = x^3");
equal(parser.evaluate("f(3)"), 27);
