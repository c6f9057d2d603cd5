import { BigNumber } from "bignumber.js";
import { equal, throws } from "../check.js";

equal(new BigNumber("0.3").minus("0.1").toString(), "0.2");
equal(new BigNumber("123456789012345678901234567890").times(10).toFixed(), "1234567890123456789012345678900");
equal(new BigNumber("1234567.891").toFormat(2), "1,234,567.89");
equal(new BigNumber("ff", 16).toString(2), "11111111");
equal(new BigNumber(7).idiv(2).toNumber(), 3);
equal(new BigNumber(1).div(3).dp(4).toString(), "0.3333");
throws(() => new BigNumber("x"), /Not a number: x/);
