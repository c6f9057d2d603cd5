// URLPattern, by the package urlpattern-polyfill (MIT), under the interface that
// the URL Pattern standard (§1) describes.
import { TypeError } from "mayfly:intrinsics";
import { URLPattern as Pattern } from "mayfly:npm/urlpattern-polyfill/dist/urlpattern.js";
import { customInspect } from "mayfly:inspect";
import { defineInterface, dictionary, expose } from "mayfly:interface";
import { ArrayPrototypePush, ObjectDefineProperty, ObjectKeys, StringPrototypeToWellFormed } from "mayfly:primordials";

const usv = (value) => StringPrototypeToWellFormed(`${value}`);
const members = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash", "baseURL"];

// inputOf converts (USVString or URLPatternInit).
function inputOf(value) {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" && typeof value !== "function") return usv(value);
  const init = {};
  for (let i = 0; i < members.length; i++) {
    const member = value[members[i]];
    if (member !== undefined) init[members[i]] = usv(member);
  }
  return init;
}

export class URLPattern {
  #pattern;

  constructor(input = undefined, baseURL = undefined, options = undefined) {
    const converted = inputOf(input);
    // The second argument is a base if it is no dictionary.
    let base;
    let bag = options;
    if (arguments.length > 2 || (baseURL !== undefined && baseURL !== null && typeof baseURL !== "object" && typeof baseURL !== "function")) {
      base = usv(baseURL);
    } else {
      bag = baseURL;
    }
    const { ignoreCase } = dictionary(bag, "URLPattern constructor: options");
    if (base !== undefined && typeof converted !== "string") throw new TypeError("URLPattern constructor: a base URL is only for a string");
    const settings = { ignoreCase: Boolean(ignoreCase) };
    this.#pattern = base === undefined ? new Pattern(converted, settings) : new Pattern(converted, base, settings);
  }

  get protocol() { return this.#pattern.protocol; }
  get username() { return this.#pattern.username; }
  get password() { return this.#pattern.password; }
  get hostname() { return this.#pattern.hostname; }
  get port() { return this.#pattern.port; }
  get pathname() { return this.#pattern.pathname; }
  get search() { return this.#pattern.search; }
  get hash() { return this.#pattern.hash; }
  get hasRegExpGroups() { return this.#pattern.hasRegExpGroups; }

  test(input = undefined, baseURL = undefined) {
    const pattern = this.#pattern;
    const converted = inputOf(input);
    return baseURL === undefined ? pattern.test(converted) : pattern.test(converted, only(converted, baseURL, "test"));
  }

  exec(input = undefined, baseURL = undefined) {
    const pattern = this.#pattern;
    const converted = inputOf(input);
    const inputs = [converted];
    let result;
    if (baseURL === undefined) {
      result = pattern.exec(converted);
    } else {
      const base = only(converted, baseURL, "exec");
      result = pattern.exec(converted, base);
      ArrayPrototypePush(inputs, base);
    }
    if (result === null) return null;
    const answer = { inputs };
    for (let i = 0; i < 8; i++) {
      const component = result[members[i]];
      const groups = {};
      const names = ObjectKeys(component.groups);
      for (let n = 0; n < names.length; n++) {
        ObjectDefineProperty(groups, names[n], { __proto__: null, value: component.groups[names[n]], writable: true, enumerable: true, configurable: true });
      }
      answer[members[i]] = { input: component.input, groups };
    }
    return answer;
  }
}
defineInterface(URLPattern);

function only(input, baseURL, method) {
  if (typeof input !== "string") throw new TypeError(`URLPattern.${method}: a base URL is only for a string`);
  return usv(baseURL);
}

ObjectDefineProperty(URLPattern.prototype, customInspect, {
  __proto__: null, configurable: true, writable: true, enumerable: false,
  value(depth, options, inspect) {
    if (depth < 0) return "[URLPattern]";
    const shown = {};
    for (let i = 0; i < 8; i++) shown[members[i]] = this[members[i]];
    shown.hasRegExpGroups = this.hasRegExpGroups;
    return `URLPattern ${inspect(shown, options)}`;
  },
});

expose({ URLPattern });
