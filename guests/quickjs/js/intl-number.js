// Intl.NumberFormat and PluralRules, in English, after ECMA-402.
import { BigInt, Number, Object, RangeError, TypeError } from "mayfly:intrinsics";
import { canonicalLocales, option, resolveLocale } from "mayfly:intl-locale";

const symbols = {
  __proto__: null, USD: "$", EUR: "€", GBP: "£", JPY: "¥", INR: "₹", CNY: "CN¥", KRW: "₩", BRL: "R$", CAD: "CA$", AUD: "A$", MXN: "MX$", NZD: "NZ$", HKD: "HK$", TWD: "NT$",
  ILS: "₪", VND: "₫", PHP: "₱", XAF: "FCFA", XOF: "F\u202fCFA",
};
const narrow = { __proto__: null, CNY: "¥", CAD: "$", AUD: "$", MXN: "$", NZD: "$", HKD: "$", TWD: "$", RUB: "₽", UAH: "₴", TRY: "₺", PLN: "zł", SEK: "kr", NOK: "kr", DKK: "kr" };
const names = {
  __proto__: null, USD: ["US dollar", "US dollars"], EUR: ["euro", "euros"], GBP: ["British pound", "British pounds"], JPY: ["Japanese yen", "Japanese yen"],
  INR: ["Indian rupee", "Indian rupees"], CNY: ["Chinese yuan", "Chinese yuan"], CAD: ["Canadian dollar", "Canadian dollars"], AUD: ["Australian dollar", "Australian dollars"],
  CHF: ["Swiss franc", "Swiss francs"],
};
const digitsOf = { __proto__: null, JPY: 0, KRW: 0, VND: 0, CLP: 0, ISK: 0, XAF: 0, XOF: 0, PYG: 0, UGX: 0, KWD: 3, BHD: 3, OMR: 3, JOD: 3, TND: 3, IQD: 0 };
// Units: short, narrow, long one and many.
const units = {
  __proto__: null, byte: ["byte", "B", "byte", "bytes"], kilobyte: ["kB", "kB", "kilobyte", "kilobytes"], megabyte: ["MB", "MB", "megabyte", "megabytes"], gigabyte: ["GB", "GB", "gigabyte", "gigabytes"],
  terabyte: ["TB", "TB", "terabyte", "terabytes"], meter: ["m", "m", "meter", "meters"], kilometer: ["km", "km", "kilometer", "kilometers"], centimeter: ["cm", "cm", "centimeter", "centimeters"],
  mile: ["mi", "mi", "mile", "miles"], gram: ["g", "g", "gram", "grams"], kilogram: ["kg", "kg", "kilogram", "kilograms"], pound: ["lb", "#", "pound", "pounds"], liter: ["L", "L", "liter", "liters"],
  second: ["sec", "s", "second", "seconds"], minute: ["min", "m", "minute", "minutes"], hour: ["hr", "h", "hour", "hours"], day: ["day", "d", "day", "days"], week: ["wk", "w", "week", "weeks"],
  month: ["mth", "m", "month", "months"], year: ["yr", "y", "year", "years"], millisecond: ["ms", "ms", "millisecond", "milliseconds"], percent: ["%", "%", "percent", "percent"],
  celsius: ["°C", "°C", "degree Celsius", "degrees Celsius"], fahrenheit: ["°F", "°", "degree Fahrenheit", "degrees Fahrenheit"], degree: ["deg", "°", "degree", "degrees"],
  "kilometer-per-hour": ["km/h", "km/h", "kilometer per hour", "kilometers per hour"], "mile-per-hour": ["mph", "mph", "mile per hour", "miles per hour"],
};
const plurals = { __proto__: null, day: "days", week: "wks", month: "mths", year: "yrs" };
const attached = ["°C", "°F", "°", "%"];
const compact = { short: ["", "K", "M", "B", "T"], long: ["", " thousand", " million", " billion", " trillion"] };

function digits(options, name, low, high, fallback) {
  const value = options[name];
  if (value === undefined) return fallback;
  const n = Number(value);
  if (!(n >= low && n <= high)) throw new RangeError(`${name} value is out of range.`);
  return Math.floor(n);
}

const group = (whole) => whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

// plain is a number's decimal digits, without exponent.
function plain(text) {
  const match = /^(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, whole, fraction = "", exponent] = match;
  const e = Number(exponent);
  const all = whole + fraction;
  const point = whole.length + e;
  if (point <= 0) return `0.${"0".repeat(-point)}${all}`;
  return point >= all.length ? all + "0".repeat(point - all.length) : `${all.slice(0, point)}.${all.slice(point)}`;
}

// fixed rounds to so many digits behind the point, halves away from zero: the
// digits are those that the number is written with.
function fixed(x, places) {
  const [whole, fraction = ""] = plain(`${x}`).split(".");
  const kept = fraction.slice(0, places).padEnd(places, "0");
  let all = BigInt(whole + kept);
  if (fraction[places] >= "5") all += 1n;
  const text = `${all}`.padStart(places + 1, "0");
  return places > 0 ? `${text.slice(0, -places)}.${text.slice(-places)}` : text;
}

// precise rounds to so many significant digits.
function precise(x, count) {
  const text = plain(`${x}`);
  const [whole, fraction = ""] = text.split(".");
  const lead = whole === "0" ? /^0*/.exec(fraction)[0].length : -whole.length;
  const places = count + lead;
  if (places >= 0) return fixed(x, places);
  const unit = 10n ** BigInt(-places);
  return `${((BigInt(whole) + unit / 2n) / unit) * unit}`;
}

const trim = (text, least) => {
  const at = text.indexOf(".");
  if (at < 0) return text;
  let end = text.length;
  while (end > at + 1 + least && text[end - 1] === "0") end--;
  return text.slice(0, end === at + 1 ? at : end);
};

export class NumberFormat {
  #o;
  #bound;
  constructor(locales = undefined, options = {}) {
    if (options === null) throw new TypeError("Cannot convert undefined or null to object");
    options = Object(options);
    const o = { locale: resolveLocale(locales), numberingSystem: "latn" };
    o.style = option(options, "style", ["decimal", "percent", "currency", "unit"], "decimal");
    if (options.currency !== undefined) {
      if (!/^[A-Za-z]{3}$/.test(options.currency)) throw new RangeError(`Invalid currency code : ${options.currency}`);
    } else if (o.style === "currency") {
      throw new TypeError("Currency code is required with currency style.");
    }
    if (o.style === "currency") {
      o.currency = options.currency.toUpperCase();
      o.currencyDisplay = option(options, "currencyDisplay", ["code", "symbol", "narrowSymbol", "name"], "symbol");
      o.currencySign = option(options, "currencySign", ["standard", "accounting"], "standard");
    }
    if (o.style === "unit") {
      if (options.unit === undefined) throw new TypeError("Unit is required with unit style.");
      if (!(options.unit in units)) throw new RangeError(`Invalid unit argument for Intl.NumberFormat() '${options.unit}'`);
      o.unit = `${options.unit}`;
      o.unitDisplay = option(options, "unitDisplay", ["short", "narrow", "long"], "short");
    }
    o.notation = option(options, "notation", ["standard", "scientific", "engineering", "compact"], "standard");
    const standard = o.style === "currency" ? digitsOf[o.currency] ?? 2 : undefined;
    o.minimumIntegerDigits = digits(options, "minimumIntegerDigits", 1, 21, 1);
    const significant = options.minimumSignificantDigits !== undefined || options.maximumSignificantDigits !== undefined;
    const given = options.minimumFractionDigits !== undefined || options.maximumFractionDigits !== undefined;
    if (significant) {
      o.minimumSignificantDigits = digits(options, "minimumSignificantDigits", 1, 21, 1);
      o.maximumSignificantDigits = digits(options, "maximumSignificantDigits", o.minimumSignificantDigits, 21, 21);
    } else {
      const least = o.notation === "compact" ? 0 : standard ?? 0;
      const most = o.notation === "compact" ? 0 : standard ?? (o.style === "percent" ? 0 : 3);
      const minimum = digits(options, "minimumFractionDigits", 0, 100, undefined);
      const maximum = digits(options, "maximumFractionDigits", 0, 100, undefined);
      o.minimumFractionDigits = minimum ?? Math.min(least, maximum ?? least);
      o.maximumFractionDigits = maximum ?? Math.max(most, o.minimumFractionDigits);
      if (o.minimumFractionDigits > o.maximumFractionDigits) throw new RangeError("maximumFractionDigits value is out of range.");
      if (o.notation === "compact" && !given) {
        o.minimumSignificantDigits = 1;
        o.maximumSignificantDigits = 2;
      }
    }
    o.useGrouping = options.useGrouping === undefined ? (o.notation === "compact" ? "min2" : "auto") : options.useGrouping === "false" ? false : options.useGrouping === true ? "always" : options.useGrouping || false;
    if (o.notation === "compact") o.compactDisplay = option(options, "compactDisplay", ["short", "long"], "short");
    o.signDisplay = option(options, "signDisplay", ["auto", "never", "always", "exceptZero", "negative"], "auto");
    o.roundingIncrement = 1;
    o.roundingMode = "halfExpand";
    o.roundingPriority = o.notation === "compact" && !significant && !given ? "morePrecision" : "auto";
    o.trailingZeroDisplay = option(options, "trailingZeroDisplay", ["auto", "stripIfInteger"], "auto");
    this.#o = o;
  }

  static supportedLocalesOf(locales) { return canonicalLocales(locales).filter((l) => l.startsWith("en")); }

  #round(x) {
    const o = this.#o;
    let text;
    if (o.roundingPriority === "morePrecision" && x >= 100) return fixed(x, 0);
    if (o.maximumSignificantDigits !== undefined) {
      text = Number(x) === 0 ? "0" : precise(x, o.maximumSignificantDigits);
      const [whole, fraction = ""] = text.split(".");
      const used = (whole === "0" ? "" : whole).length;
      const lead = whole === "0" ? /^0*/.exec(fraction)[0].length : 0;
      return trim(text, Math.max(0, o.minimumSignificantDigits - used + lead));
    }
    text = trim(fixed(x, o.maximumFractionDigits), o.minimumFractionDigits);
    if (o.trailingZeroDisplay === "stripIfInteger" && /\.0+$/.test(text)) text = text.slice(0, text.indexOf("."));
    return text;
  }

  formatToParts(value) {
    const o = this.#o;
    let x = typeof value === "bigint" ? value : typeof value === "string" && /^\s*-?\d{16,}\s*$/.test(value) ? BigInt(value.trim()) : Number(value);
    let negative = x < 0 || Object.is(x, -0);
    if (x < 0) x = -x;
    const number = [];
    let suffix = "";
    if (typeof x === "number" && x !== x) {
      negative = false;
      number.push({ type: "nan", value: "NaN" });
    } else if (x === Infinity) {
      number.push({ type: "infinity", value: "∞" });
    } else {
      if (o.style === "percent") x = typeof x === "bigint" ? x * 100n : Number(plain(`${x}`).includes(".") ? (x * 100).toPrecision(15) : x * 100);
      let exponent = 0;
      if (o.notation !== "standard" && Number(x) > 0) {
        x = Number(x);
        const step = o.notation === "scientific" ? 1 : 3;
        exponent = Math.floor(Math.floor(Math.log10(x) + 1e-12) / step) * step;
        if (o.notation === "compact") exponent = Math.min(Math.max(exponent, 0), 12);
        let scaled = x / 10 ** exponent;
        if (Number(this.#round(scaled)) >= 10 ** step && (o.notation !== "compact" || exponent < 12)) {
          exponent += step;
          scaled = x / 10 ** exponent;
        }
        x = scaled;
      }
      let [whole, fraction] = this.#round(x).split(".");
      whole = whole.padStart(o.minimumIntegerDigits, "0");
      const grouped = o.useGrouping !== false && !(o.useGrouping === "min2" && whole.length < 5) ? group(whole) : whole;
      for (const [i, part] of grouped.split(",").entries()) {
        if (i > 0) number.push({ type: "group", value: "," });
        number.push({ type: "integer", value: part });
      }
      if (fraction !== undefined) number.push({ type: "decimal", value: "." }, { type: "fraction", value: fraction });
      if (o.notation === "scientific" || o.notation === "engineering") {
        number.push({ type: "exponentSeparator", value: "E" });
        if (exponent < 0) number.push({ type: "exponentMinusSign", value: "-" });
        number.push({ type: "exponentInteger", value: `${Math.abs(exponent)}` });
      } else if (o.notation === "compact" && exponent > 0) {
        suffix = compact[o.compactDisplay][exponent / 3];
        if (suffix[0] === " ") number.push({ type: "literal", value: " " });
        number.push({ type: "compact", value: suffix.trim() });
      }
    }
    const zero = number.every((p) => p.type !== "integer" && p.type !== "fraction" && p.type !== "infinity" || /^0*$/.test(p.value));
    let sign = "";
    if (negative && o.signDisplay !== "never" && !((o.signDisplay === "exceptZero" || o.signDisplay === "negative") && zero)) sign = "-";
    else if (!negative && (o.signDisplay === "always" || (o.signDisplay === "exceptZero" && !zero))) sign = "+";
    const parts = [];
    const accounting = sign === "-" && o.currencySign === "accounting";
    if (accounting) parts.push({ type: "literal", value: "(" });
    else if (sign !== "") parts.push({ type: sign === "-" ? "minusSign" : "plusSign", value: sign });
    const one = number.length === 1 && number[0].value === "1";
    if (o.style === "currency" && o.currencyDisplay !== "name") {
      const symbol = o.currencyDisplay === "code" ? o.currency : (o.currencyDisplay === "narrowSymbol" ? narrow[o.currency] : undefined) ?? symbols[o.currency] ?? o.currency;
      parts.push({ type: "currency", value: symbol });
      if (/[A-Za-z]$/.test(symbol)) parts.push({ type: "literal", value: "\u00a0" });
    }
    parts.push(...number);
    if (o.style === "percent") parts.push({ type: "percentSign", value: "%" });
    if (o.style === "currency" && o.currencyDisplay === "name") parts.push({ type: "literal", value: " " }, { type: "currency", value: names[o.currency]?.[one ? 0 : 1] ?? o.currency });
    if (o.style === "unit") {
      const [short, slim, single, many] = units[o.unit];
      const text = o.unitDisplay === "long" ? (one ? single : many) : o.unitDisplay === "narrow" ? slim : one ? short : plurals[o.unit] ?? short;
      if (o.unitDisplay !== "narrow" && !(attached.includes(text))) parts.push({ type: "literal", value: " " });
      parts.push({ type: "unit", value: text });
    }
    if (accounting) parts.push({ type: "literal", value: ")" });
    return parts;
  }
  #format(value) {
    let text = "";
    for (const part of this.formatToParts(value)) text += part.value;
    return text;
  }
  get format() {
    this.#bound ??= (value) => this.#format(value);
    return this.#bound;
  }
  formatRange(from, to) {
    const [a, b] = [this.#format(from), this.#format(to)];
    return a === b ? `~${a}` : this.#o.style === "currency" ? `${a} – ${b}` : `${a}–${b}`;
  }
  resolvedOptions() { return { ...this.#o }; }
}

export class PluralRules {
  #type;
  #locale;
  #format;
  constructor(locales = undefined, options = {}) {
    this.#locale = resolveLocale(locales);
    this.#type = option(options, "type", ["cardinal", "ordinal"], "cardinal");
    this.#format = new NumberFormat(locales, { ...options, style: "decimal" });
  }
  static supportedLocalesOf(locales) { return NumberFormat.supportedLocalesOf(locales); }
  select(value) {
    const x = Math.abs(Number(value));
    if (this.#type === "cardinal") return this.#format.format(x) === "1" ? "one" : "other";
    const [ten, hundred] = [x % 10, x % 100];
    if (ten === 1 && hundred !== 11) return "one";
    if (ten === 2 && hundred !== 12) return "two";
    if (ten === 3 && hundred !== 13) return "few";
    return "other";
  }
  selectRange(from, to) { return this.select(to); }
  resolvedOptions() {
    const { minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits } = this.#format.resolvedOptions();
    return { locale: this.#locale, type: this.#type, minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits, pluralCategories: this.#type === "ordinal" ? ["few", "one", "two", "other"] : ["one", "other"] };
  }
}
