import { Argument, Command, Option } from "commander";
import { equal, match, throws } from "../check.js";

const calls = [];
const program = new Command("tool").version("1.2.3").exitOverride().configureOutput({ writeErr() {}, writeOut(s) { calls.push(s); } });
program.command("add").argument("<name>").argument("[tags...]").option("-f, --force", "do it").addOption(new Option("-s, --size <n>").choices(["s", "m"]).default("m"))
  .action((name, tags, options) => calls.push([name, tags, options]));
program.parse(["node", "tool", "add", "x", "a", "b", "--force"]);
equal(calls.pop(), ["x", ["a", "b"], { size: "m", force: true }]);
throws(() => program.parse(["add", "x", "-s", "xl"], { from: "user" }), /Allowed choices are s, m/);
throws(() => program.parse(["ad"], { from: "user" }), /unknown command 'ad'/);
throws(() => program.parse(["--version"], { from: "user" }), /1\.2\.3/);
match(program.commands[0].helpInformation(), /Usage: tool add \[options\] <name> \[tags\.\.\.\]/);
const sub = new Command().exitOverride().addArgument(new Argument("<n>").argParser(Number));
await sub.action(async (n) => calls.push(n)).parseAsync(["5"], { from: "user" });
equal(calls.pop(), 5);
