import * as ss from "simple-statistics";
import { equal, ok } from "../check.js";

equal([ss.mean([1, 2, 3, 4]), ss.median([3, 1, 2]), ss.mode([1, 1, 2])], [2.5, 2, 1]);
equal(ss.standardDeviation([2, 4, 4, 4, 5, 5, 7, 9]), 2);
const line = ss.linearRegression([[0, 1], [1, 3], [2, 5]]);
equal([line.m, line.b, ss.linearRegressionLine(line)(10)], [2, 1, 21]);
equal(ss.quantile([3, 6, 7, 8, 8, 9, 10, 13, 15, 16, 20], 0.25), 7.5);
equal(ss.sampleCorrelation([1, 2, 3], [2, 4, 6]).toFixed(6), "1.000000");
equal(ss.ckmeans([1, 2, 10, 11, 50], 3), [[1, 2], [10, 11], [50]]);
ok(Math.abs(ss.cumulativeStdNormalProbability(1.96) - 0.975) < 1e-3, "normal");
