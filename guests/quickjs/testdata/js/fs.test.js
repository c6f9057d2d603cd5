// node:fs in its three forms.
import fs from "node:fs";
import fsp from "node:fs/promises";
import { check, done, rejects, same, throws } from "./check.js";

fs.writeFileSync("a.txt", "h\u00e9llo");
same([fs.readFileSync("a.txt", "utf8"), fs.readFileSync("/home/a.txt").toString("hex"), fs.readFileSync("a.txt", { encoding: "base64" }), fs.readFileSync("a.txt", "latin1")],
  ["h\u00e9llo", "68c3a96c6c6f", "aMOpbGxv", "h\u00c3\u00a9llo"]);
check(Buffer.isBuffer(fs.readFileSync("a.txt")));
fs.appendFileSync("a.txt", Buffer.from("!"));
fs.appendFileSync("new.txt", "created");
same([fs.readFileSync("a.txt", "utf8"), fs.readFileSync(new URL("file:///home/new.txt"), "utf8"), fs.readFileSync(Buffer.from("new.txt"), "utf8")], ["h\u00e9llo!", "created", "created"]);
fs.writeFileSync("b.bin", new Uint16Array([0x6261]));
same(fs.readFileSync("b.bin", "ascii"), "ab");
fs.writeFileSync("b.bin", "6869", "hex");
same(fs.readFileSync("b.bin", "utf8"), "hi");
throws(() => fs.writeFileSync("a.txt", "x", { flag: "wx" }), { code: "EEXIST", message: "EEXIST: file already exists, open 'a.txt'" });
fs.writeFileSync("a.txt", "+", { flag: "a" });
fs.writeFileSync("a.txt", "HE", { flag: "r+" });
same(fs.readFileSync("a.txt", "utf8").slice(0, 2), "HE");
throws(() => fs.writeFileSync("missing.txt", "x", { flag: "r+" }), { code: "ENOENT" });

// Errors.
const missing = throws(() => fs.readFileSync("nope"), { name: "Error", code: "ENOENT", errno: -2, syscall: "open", path: "nope", message: "ENOENT: no such file or directory, open 'nope'" });
same(Object.keys(missing), ["errno", "code", "syscall", "path"]);
throws(() => fs.readFileSync(""), { message: "ENOENT: no such file or directory, open ''" });
throws(() => fs.readFileSync("/home"), { message: "EISDIR: illegal operation on a directory, read", code: "EISDIR" });
throws(() => fs.readFileSync("a.txt/x"), { message: "ENOTDIR: not a directory, open 'a.txt/x'" });
throws(() => fs.readFileSync("a.txt/"), { code: "ENOTDIR" });
throws(() => fs.writeFileSync("no/such", ""), { message: "ENOENT: no such file or directory, open 'no/such'" });
throws(() => fs.writeFileSync("/home", ""), { code: "EISDIR" });
throws(() => fs.writeFileSync("big", new Uint8Array(2 << 20)), { message: "ENOSPC: no space left on device, write", errno: -28 });
throws(() => fs.readFileSync(), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
throws(() => fs.readFileSync("a\0b"), { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
throws(() => fs.readFileSync("a.txt", "nope"), { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
throws(() => fs.writeFileSync("a.txt", {}), { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
throws(() => fs.writeFileSync("a.txt", "x", { flag: "q" }), { code: "ERR_INVALID_ARG_VALUE" });
throws(() => fs.readFileSync(9), { code: "EBADF" });

// Directories.
same([fs.mkdirSync("d"), fs.mkdirSync("x/y/z", { recursive: true }), fs.mkdirSync("x/y/z", { recursive: true })], [undefined, "/home/x", undefined]);
throws(() => fs.mkdirSync("d"), { message: "EEXIST: file already exists, mkdir 'd'" });
throws(() => fs.mkdirSync("q/r"), { message: "ENOENT: no such file or directory, mkdir 'q/r'" });
throws(() => fs.mkdirSync("a.txt/r", { recursive: true }), { code: "ENOTDIR" });
fs.writeFileSync("x/1.txt", "1");
fs.writeFileSync("x/y/2.txt", "22");
same(fs.readdirSync("x"), ["1.txt", "y"]);
same(fs.readdirSync("x", { recursive: true }), ["1.txt", "y", "y/2.txt", "y/z"]);
const entries = fs.readdirSync("x", { withFileTypes: true });
same(entries.map((e) => [e.name, e.isFile(), e.isDirectory(), e.isSymbolicLink(), e.parentPath]), [["1.txt", true, false, false, "x"], ["y", false, true, false, "x"]]);
same(fs.readdirSync("x", "buffer")[0].toString(), "1.txt");
throws(() => fs.readdirSync("a.txt"), { message: "ENOTDIR: not a directory, scandir 'a.txt'" });
throws(() => fs.readdirSync("zz"), { code: "ENOENT", syscall: "scandir" });

// What is there.
const stat = fs.statSync("x/y/2.txt");
same([stat.size, stat.isFile(), stat.isDirectory(), stat.mtime instanceof Date, stat.mtimeMs, fs.lstatSync("x").isDirectory()], [2, true, false, true, 1.7e12, true]);
throws(() => fs.statSync("zz"), { message: "ENOENT: no such file or directory, stat 'zz'" });
same([fs.statSync("zz", { throwIfNoEntry: false }), fs.existsSync("x"), fs.existsSync("zz"), fs.existsSync(undefined), fs.existsSync("a.txt/")], [undefined, true, false, false, false]);
same(fs.accessSync("x"), undefined);
throws(() => fs.accessSync("zz"), { message: "ENOENT: no such file or directory, access 'zz'" });
same(fs.realpathSync("./x/../x/y"), "/home/x/y");

// Changing.
fs.copyFileSync("x/1.txt", "copy.txt");
throws(() => fs.copyFileSync("x/1.txt", "copy.txt", fs.constants.COPYFILE_EXCL), { code: "EEXIST", message: "EEXIST: file already exists, copyfile 'x/1.txt' -> 'copy.txt'" });
fs.renameSync("copy.txt", "moved.txt");
throws(() => fs.renameSync("zz", "yy"), { message: "ENOENT: no such file or directory, rename 'zz' -> 'yy'", dest: "yy" });
fs.truncateSync("moved.txt");
same(fs.statSync("moved.txt").size, 0);
fs.truncateSync("moved.txt", 3);
same(fs.readFileSync("moved.txt", "utf8"), "\0\0\0");
fs.unlinkSync("moved.txt");
throws(() => fs.unlinkSync("moved.txt"), { message: "ENOENT: no such file or directory, unlink 'moved.txt'" });
throws(() => fs.unlinkSync("x"), { code: "EISDIR" });
throws(() => fs.rmdirSync("x"), { message: "ENOTEMPTY: directory not empty, rmdir 'x'" });
throws(() => fs.rmdirSync("a.txt"), { code: "ENOTDIR" });
throws(() => fs.rmSync("x"), { code: "ERR_FS_EISDIR" });
throws(() => fs.rmSync("zz"), { code: "ENOENT" });
fs.rmSync("zz", { force: true });
fs.cpSync("x", "x2", { recursive: true });
same(fs.readdirSync("x2", { recursive: true }), ["1.txt", "y", "y/2.txt", "y/z"]);
throws(() => fs.cpSync("x", "x3"), { code: "ERR_FS_EISDIR" });
throws(() => fs.cpSync("x", "x/in", { recursive: true }), { code: "ERR_FS_CP_EINVAL" });
fs.rmSync("x2", { recursive: true });
same(fs.existsSync("x2"), false);
const temporary = fs.mkdtempSync("/tmp/pre-");
check(/^\/tmp\/pre-[A-Za-z0-9]{6}$/.test(temporary) && fs.statSync(temporary).isDirectory());
check(fs.mkdtempSync("/tmp/pre-") !== temporary);

// Standard input and output.
same([fs.readFileSync(0, "utf8"), fs.readFileSync("/dev/stdin").length], ["line one\nline two\n", 18]);
fs.writeFileSync(1, "");

// Callbacks.
const called = await new Promise((resolve) => {
  const log = [];
  fs.readFile("a.txt", "utf8", (error, text) => {
    log.push(error, text.length > 0);
    fs.mkdir("d", (failure) => {
      log.push(failure.code);
      fs.exists("d", (there) => {
        log.push(there);
        resolve(log);
      });
    });
  });
  log.push("before");
});
same(called, ["before", null, true, "EEXIST", true]);
throws(() => fs.readFile("a.txt"), { code: "ERR_INVALID_ARG_TYPE" });
throws(() => fs.stat(5, () => {}), { code: "ERR_INVALID_ARG_TYPE" });

// Promises.
same([await fsp.readFile("a.txt", "utf8") === fs.readFileSync("a.txt", "utf8"), fs.promises === fsp, (await fsp.stat("x")).isDirectory()], [true, true, true]);
await fsp.writeFile("p.txt", ReadableStream.from(["one ", Buffer.from("two")]));
await fsp.appendFile("p.txt", " three");
same(await fsp.readFile("p.txt", "utf8"), "one two three");
await rejects(fsp.readFile("zz"), { code: "ENOENT", message: "ENOENT: no such file or directory, open 'zz'" });
await rejects(fsp.readFile(5), { code: "EBADF" });
await rejects(fsp.access("zz"), { code: "ENOENT" });
await fsp.rm("x", { recursive: true });
same((await fsp.readdir(".")).includes("x"), false);
same([fs.openSync, fs.watch, fsp.open], [undefined, undefined, undefined]);
same([fs.readFileSync.name, fs.readFile.name, fsp.readFile.name], ["readFileSync", "readFile", "readFile"]);

done();
