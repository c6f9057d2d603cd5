// Intl, in English: numbers, dates in IANA time zones, plurals, relative times,
// lists, comparison, segments. Missing on purpose: other languages, calendars
// and digits (they fall back to English), Intl.DurationFormat, dictionary
// segmentation of words.
import { BigInt, Date, Number, Object, RangeError, String, Symbol, TypeError } from "mayfly:intrinsics";
import { canonicalLocales, option, resolveLocale } from "mayfly:intl-locale";
import { NumberFormat, PluralRules } from "mayfly:intl-number";
import { DateTimeFormat } from "mayfly:intl-date";
import { zoneNames } from "mayfly:intl-zone";
import { expose } from "mayfly:interface";

const english = (locales) => canonicalLocales(locales).filter((l) => l.startsWith("en"));

class ListFormat {
  #o;
  constructor(locales = undefined, options = {}) {
    this.#o = { locale: resolveLocale(locales), type: option(options, "type", ["conjunction", "disjunction", "unit"], "conjunction"), style: option(options, "style", ["long", "short", "narrow"], "long") };
  }
  static supportedLocalesOf(locales) { return english(locales); }
  formatToParts(list) {
    const items = [];
    for (const item of list) {
      if (typeof item !== "string") throw new TypeError("Iterable yielded a non-String value");
      items.push(item);
    }
    const { type, style } = this.#o;
    const word = type === "disjunction" ? "or " : type === "unit" || style === "narrow" ? "" : style === "short" ? "& " : "and ";
    const comma = type === "unit" && style === "narrow" ? " " : ", ";
    const parts = [];
    for (let i = 0; i < items.length; i++) {
      if (i > 0) {
        const last = i === items.length - 1;
        parts.push({ type: "literal", value: !last ? comma : items.length === 2 && word !== "" ? ` ${word}` : comma + word });
      }
      parts.push({ type: "element", value: items[i] });
    }
    return parts;
  }
  format(list) { return this.formatToParts(list).map((p) => p.value).join(""); }
  resolvedOptions() { return { ...this.#o }; }
}

const relative = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
const shortUnits = { __proto__: null, second: "sec.", minute: "min.", hour: "hr.", day: "day", week: "wk.", month: "mo.", quarter: "qtr.", year: "yr." };
const words = {
  __proto__: null, day: { "-1": "yesterday", 0: "today", 1: "tomorrow" }, second: { 0: "now" },
};
for (const unit of ["minute", "hour"]) words[unit] = { 0: `this ${unit}` };
for (const unit of ["week", "month", "quarter", "year"]) words[unit] = { "-1": `last ${unit}`, 0: `this ${unit}`, 1: `next ${unit}` };

class RelativeTimeFormat {
  #o;
  #number;
  constructor(locales = undefined, options = {}) {
    this.#o = { locale: resolveLocale(locales), style: option(options, "style", ["long", "short", "narrow"], "long"), numeric: option(options, "numeric", ["always", "auto"], "always"), numberingSystem: "latn" };
    this.#number = new NumberFormat(locales);
  }
  static supportedLocalesOf(locales) { return english(locales); }
  formatToParts(value, unitName) {
    const unit = `${unitName}`.replace(/s$/, "");
    if (!relative.includes(unit)) throw new RangeError(`Invalid unit argument for format() '${unitName}'`);
    const n = Number(value);
    if (!Number.isFinite(n)) throw new RangeError("The value need to be finite number for Intl.RelativeTimeFormat.prototype.format()");
    const { numeric, style } = this.#o;
    const word = numeric === "auto" ? words[unit]?.[Object.is(n, -0) ? 0 : n] : undefined;
    if (word !== undefined) return [{ type: "literal", value: word }];
    const past = n < 0 || Object.is(n, -0);
    const size = Math.abs(n);
    const parts = this.#number.formatToParts(size).map((p) => ({ ...p, unit }));
    const name = style === "narrow" ? { ...shortUnits, second: "s", minute: "min", hour: "h", day: "d", week: "w", month: "mo", quarter: "q", year: "y" }[unit]
      : style === "short" ? (size === 1 || unit !== "day" && unit !== "quarter" ? shortUnits[unit] : unit === "day" ? "days" : "qtrs.") : size === 1 ? unit : `${unit}s`;
    const gap = style === "narrow" ? "" : " ";
    if (past) return [...parts, { type: "literal", value: `${gap}${name} ago` }];
    return [{ type: "literal", value: "in " }, ...parts, { type: "literal", value: gap + name }];
  }
  format(value, unit) { return this.formatToParts(value, unit).map((p) => p.value).join(""); }
  resolvedOptions() { return { ...this.#o }; }
}

// Collation: letters before their accents before their case, digits before
// letters, punctuation first.
const LETTERS = /[\p{L}\p{N}]/u;
function primary(text) {
  return text.normalize("NFD").replace(/\p{M}+/gu, "").toLowerCase();
}
function compareUnits(a, b, numeric) {
  const [x, y] = [numeric ? a.match(/\d+|\D/gu) ?? [] : [...a], numeric ? b.match(/\d+|\D/gu) ?? [] : [...b]];
  for (let i = 0; i < x.length && i < y.length; i++) {
    if (x[i] === y[i]) continue;
    if (numeric && /^\d/.test(x[i]) && /^\d/.test(y[i])) {
      const difference = BigInt(x[i]) - BigInt(y[i]);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
      continue;
    }
    const rank = (c) => (/^\s/.test(c) ? 0 : !LETTERS.test(c) ? 1 : /^\p{N}/u.test(c) ? 2 : 3);
    const order = rank(x[i]) - rank(y[i]);
    if (order !== 0) return order < 0 ? -1 : 1;
    return x[i] < y[i] ? -1 : 1;
  }
  return Math.sign(x.length - y.length);
}
class Collator {
  #o;
  #bound;
  constructor(locales = undefined, options = {}) {
    this.#o = {
      locale: resolveLocale(locales), usage: option(options, "usage", ["sort", "search"], "sort"), sensitivity: option(options, "sensitivity", ["base", "accent", "case", "variant"], "variant"),
      ignorePunctuation: Boolean(options?.ignorePunctuation), collation: "default", numeric: options?.numeric === undefined ? /-kn(?:-|$)(?!false)/.test(`${locales}`) : Boolean(options.numeric),
      caseFirst: option(options, "caseFirst", ["upper", "lower", "false"], "false"),
    };
  }
  static supportedLocalesOf(locales) { return english(locales); }
  #compare(a, b) {
    const { sensitivity, numeric, caseFirst, ignorePunctuation } = this.#o;
    if (a === b) return 0;
    if (ignorePunctuation) [a, b] = [a.replace(/[\p{P}\s]+/gu, ""), b.replace(/[\p{P}\s]+/gu, "")];
    let order = compareUnits(primary(a), primary(b), numeric);
    if (order !== 0 || sensitivity === "base") return order;
    if (sensitivity !== "case") {
      const [x, y] = [a.normalize("NFD").toLowerCase(), b.normalize("NFD").toLowerCase()];
      if (x !== y) return x < y ? -1 : 1;
      if (sensitivity === "accent") return 0;
    }
    const [x, y] = [a.normalize("NFD"), b.normalize("NFD")];
    for (let i = 0; i < x.length && i < y.length; i++) {
      if (x[i] !== y[i] && x[i].toLowerCase() === y[i].toLowerCase()) return (x[i] === x[i].toLowerCase()) === (caseFirst !== "upper") ? -1 : 1;
    }
    order = Math.sign(x.length - y.length);
    return order;
  }
  get compare() {
    this.#bound ??= (a, b) => this.#compare(`${a}`, `${b}`);
    return this.#bound;
  }
  resolvedOptions() { return { ...this.#o }; }
}

// Segments: graphemes by the marks, joiners and pairs of flags that extend
// them; words and sentences by their characters.
const segmenters = {
  __proto__: null,
  grapheme: /\r\n|\p{RI}\p{RI}|\p{Emoji}(?:\p{EMod}|\ufe0f\u20e3?|[\u{e0020}-\u{e007e}]+\u{e007f})?(?:\u200d\p{Emoji}(?:\p{EMod}|\ufe0f)?)*[\p{M}\u200c\u200d]*|[\u1100-\u115f]*[\uac00-\ud7a3\u1160-\u11a7]?[\u1160-\u11ff]+|[^][\p{M}\u200c\u200d\p{EMod}]*/gu,
  word: /[\p{L}\p{M}\p{N}_]+(?:['’.:,][\p{L}\p{N}]+)*|\r\n|[^\S\r\n]+|[^]/gu,
  sentence: /[^.!?\u2026]+(?:[.!?\u2026]+["'”’)\]]*\s*|$)|[.!?\u2026]+\s*/gu,
};
class Segmenter {
  #o;
  constructor(locales = undefined, options = {}) {
    this.#o = { locale: resolveLocale(locales), granularity: option(options, "granularity", ["grapheme", "word", "sentence"], "grapheme") };
  }
  static supportedLocalesOf(locales) { return english(locales); }
  segment(input) {
    const text = `${input}`;
    const { granularity } = this.#o;
    const pattern = segmenters[granularity];
    const make = (match) => {
      const made = { segment: match[0], index: match.index, input: text };
      if (granularity === "word") made.isWordLike = LETTERS.test(match[0]);
      return made;
    };
    return {
      *[Symbol.iterator]() { for (const match of text.matchAll(pattern)) yield make(match); },
      containing(at = 0) {
        if (at < 0 || at >= text.length) return undefined;
        for (const match of text.matchAll(pattern)) if (match.index + match[0].length > at) return make(match);
        return undefined;
      },
    };
  }
  resolvedOptions() { return { ...this.#o }; }
}

class Locale {
  #tag;
  constructor(tag, options = {}) {
    if (typeof tag !== "string" && typeof tag !== "object") throw new TypeError("First argument to Intl.Locale constructor can't be empty or missing");
    [this.#tag] = canonicalLocales(`${tag}`);
    void options;
  }
  get language() { return this.#tag.split("-")[0]; }
  get script() { return this.#tag.split("-").find((p, i) => i > 0 && p.length === 4); }
  get region() { return this.baseName.split("-").find((p, i) => i > 0 && (p.length === 2 || /^\d{3}$/.test(p))); }
  get baseName() { return this.#tag.split(/-[a-z\d]-/)[0]; }
  toString() { return this.#tag; }
}

const Intl = {};
const define = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
const classes = { Collator, DateTimeFormat, ListFormat, Locale, NumberFormat, PluralRules, RelativeTimeFormat, Segmenter };
for (const name of Object.keys(classes)) {
  Object.defineProperty(classes[name].prototype, Symbol.toStringTag, { value: `Intl.${name}`, configurable: true });
  // Three of them may be called without new.
  define(Intl, name, name === "NumberFormat" || name === "DateTimeFormat" || name === "Collator"
    ? new Proxy(classes[name], { apply: (target, self, args) => new target(args[0], args[1]), construct: (target, args, newTarget) => Reflect.construct(target, args.slice(0, 2), newTarget) })
    : classes[name]);
  if (name === "NumberFormat" || name === "DateTimeFormat" || name === "Collator") define(classes[name].prototype, "constructor", Intl[name]);
}
define(Intl, "getCanonicalLocales", function getCanonicalLocales(locales) { return canonicalLocales(locales); });
define(Intl, "supportedValuesOf", function supportedValuesOf(key) {
  if (key === "timeZone") return zoneNames();
  const known = { __proto__: null, calendar: ["gregory", "iso8601"], collation: ["default"], currency: ["AUD", "CAD", "CHF", "CNY", "EUR", "GBP", "INR", "JPY", "USD"], numberingSystem: ["latn"], unit: ["byte", "day", "hour", "meter", "minute", "second"] };
  if (!(key in known)) throw new RangeError(`Invalid key : ${key}`);
  return known[key];
});
Object.defineProperty(Intl, Symbol.toStringTag, { value: "Intl", configurable: true });
expose({ Intl });

// ---- what other classes do by Intl

const dates = { toLocaleString: ["any", "all"], toLocaleDateString: ["date", "date"], toLocaleTimeString: ["time", "time"] };
for (const name of Object.keys(dates)) {
  const [required, defaults] = dates[name];
  define(Date.prototype, name, { [name](locales = undefined, options = undefined) {
    const time = Date.prototype.getTime.call(this);
    return time !== time ? "Invalid Date" : new DateTimeFormat(locales, options, required, defaults).format(time);
  } }[name]);
}
define(Number.prototype, "toLocaleString", function toLocaleString(locales = undefined, options = undefined) { return new NumberFormat(locales, options).format(Number.prototype.valueOf.call(this)); });
define(BigInt.prototype, "toLocaleString", function toLocaleString(locales = undefined, options = undefined) { return new NumberFormat(locales, options).format(BigInt.prototype.valueOf.call(this)); });
define(String.prototype, "localeCompare", function localeCompare(that, locales = undefined, options = undefined) { return new Collator(locales, options).compare(`${this}`, `${that}`); });
