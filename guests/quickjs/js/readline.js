// node:readline over streams that are no terminals: lines, questions, iteration.
import { Error, Promise, Symbol } from "mayfly:intrinsics";
import { EventEmitter } from "mayfly:emitter";
import { StringDecoder } from "mayfly:stream";
import { coded } from "mayfly:node-errors";

export class Interface extends EventEmitter {
  #decoder = new StringDecoder("utf8");
  #rest = "";
  #afterReturn = false;
  #questions = [];
  #prompt = "> ";
  #listeners;

  constructor(input, output = undefined) {
    super();
    const options = typeof input?.on === "function" ? { input, output } : input;
    this.input = options.input;
    this.output = options.output;
    this.terminal = false;
    this.line = "";
    this.cursor = 0;
    this.closed = false;
    if (options.prompt !== undefined) this.#prompt = `${options.prompt}`;
    const data = (chunk) => this.#take(typeof chunk === "string" ? chunk : this.#decoder.write(chunk));
    const end = () => {
      this.#take(this.#decoder.end());
      if (this.#rest !== "") this.#emitLine(this.#rest);
      this.#rest = "";
      this.close();
    };
    const error = (e) => this.emit("error", e);
    this.#listeners = { data, end, error };
    for (const name of Object.keys(this.#listeners)) this.input.on(name, this.#listeners[name]);
    options.signal?.addEventListener("abort", () => this.close(), { once: true });
    this.input.resume?.();
  }

  #take(text) {
    if (this.#afterReturn && text[0] === "\n") text = text.slice(1);
    if (text !== "") this.#afterReturn = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    for (const line of lines) this.#emitLine(line);
  }
  #emitLine(line) {
    const question = this.#questions.shift();
    if (question !== undefined) question(line);
    else this.emit("line", line);
  }

  getPrompt() { return this.#prompt; }
  setPrompt(prompt) { this.#prompt = `${prompt}`; }
  prompt() {
    this.output?.write(this.#prompt);
    this.resume();
  }
  question(query, options, callback = options) {
    if (this.closed) throw coded(new Error("readline was closed"), "ERR_USE_AFTER_CLOSE");
    this.output?.write(query);
    this.#questions.push(callback);
  }
  pause() {
    this.input.pause?.();
    this.emit("pause");
    return this;
  }
  resume() {
    this.input.resume?.();
    this.emit("resume");
    return this;
  }
  write(text) {
    if (text !== undefined && text !== null) this.#take(`${text}`);
  }
  getCursorPos() { return { rows: 0, cols: 0 }; }
  close() {
    if (this.closed) return;
    this.closed = true;
    for (const name of Object.keys(this.#listeners)) this.input.removeListener(name, this.#listeners[name]);
    this.input.pause?.();
    this.emit("close");
  }
  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() { this.close(); }

  [Symbol.asyncIterator]() {
    const lines = [];
    const waiting = [];
    let failure;
    const give = () => {
      while (waiting.length > 0 && (lines.length > 0 || failure !== undefined || this.closed)) {
        const { resolve, reject } = waiting.shift();
        if (lines.length > 0) resolve({ value: lines.shift(), done: false });
        else if (failure !== undefined) reject(failure);
        else resolve({ value: undefined, done: true });
      }
    };
    this.on("line", (line) => { lines.push(line); give(); });
    this.on("close", give);
    this.on("error", (error) => { failure = error; give(); });
    return {
      next: () => new Promise((resolve, reject) => { waiting.push({ resolve, reject }); give(); }),
      return: () => {
        this.close();
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() { return this; },
    };
  }
}

export const createInterface = (input, output = undefined) => new Interface(input, output);
const control = (make) => (stream, ...args) => {
  const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
  stream.write(make(...args));
  callback?.();
  return true;
};
export const clearLine = control((direction) => (direction < 0 ? "\x1b[1K" : direction > 0 ? "\x1b[0K" : "\x1b[2K"));
export const clearScreenDown = control(() => "\x1b[0J");
export const cursorTo = control((x, y) => (typeof y === "number" ? `\x1b[${y + 1};${x + 1}H` : `\x1b[${x + 1}G`));
export const moveCursor = control((dx, dy) => (dx > 0 ? `\x1b[${dx}C` : dx < 0 ? `\x1b[${-dx}D` : "") + (dy > 0 ? `\x1b[${dy}B` : dy < 0 ? `\x1b[${-dy}A` : ""));
export const emitKeypressEvents = () => {};
