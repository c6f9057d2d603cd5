// node:readline/promises
import { Interface as CallbackInterface } from "mayfly:readline";

export class Interface extends CallbackInterface {
  question(query, options = {}) {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted) {
        reject(options.signal.reason);
        return;
      }
      options.signal?.addEventListener("abort", () => reject(options.signal.reason), { once: true });
      super.question(query, resolve);
    });
  }
}
export const createInterface = (input, output = undefined) => new Interface(typeof input?.on === "function" ? { input, output } : input);
export default { Interface, createInterface };
