// navigator and self. The user agent is what packages test for to learn that
// they are not in a browser and not in node.
import { TypeError } from "mayfly:intrinsics";
import { defineInterface, expose } from "mayfly:interface";

let internal = true;

export class Navigator {
  #brand;
  constructor() {
    if (!internal) throw new TypeError("Illegal constructor");
  }
  get userAgent() { this.#brand; return "Cloudflare-Workers"; }
  get hardwareConcurrency() { this.#brand; return 1; }
  get language() { this.#brand; return "en"; }
  get languages() { this.#brand; return languages; }
}
const languages = Object.freeze(["en"]);
defineInterface(Navigator);

export const navigator = new Navigator();
internal = false;

expose({ Navigator, navigator, self: globalThis });
