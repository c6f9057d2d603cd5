import { Chalk } from "chalk";
import { equal } from "../check.js";

const chalk = new Chalk({ level: 3 });
equal(chalk.red("x"), "\u001b[31mx\u001b[39m");
equal(chalk.bold.underline("x"), "\u001b[1m\u001b[4mx\u001b[24m\u001b[22m");
equal(chalk.hex("#ff8800")("x"), "\u001b[38;2;255;136;0mx\u001b[39m");
equal(chalk.red(`a${chalk.blue("b")}c`), "\u001b[31ma\u001b[34mb\u001b[39m\u001b[31mc\u001b[39m");
equal(new Chalk({ level: 0 }).red("x"), "x");
equal(new Chalk({ level: 1 }).rgb(255, 0, 0)("x"), "\u001b[91mx\u001b[39m");
