// Intl.DateTimeFormat, in English and the Gregorian calendar, after ECMA-402.
import { Date, Number, Object, RangeError, TypeError } from "mayfly:intrinsics";
import { BRITISH, canonicalLocales, option, resolveLocale } from "mayfly:intl-locale";
import { offsetAt, zoneOf } from "mayfly:intl-zone";

const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const american = { __proto__: null, "America/New_York": "Eastern", "America/Chicago": "Central", "America/Denver": "Mountain", "America/Los_Angeles": "Pacific" };

const styles = {
  date: { full: { weekday: "long", year: "numeric", month: "long", day: "numeric" }, long: { year: "numeric", month: "long", day: "numeric" }, medium: { year: "numeric", month: "short", day: "numeric" }, short: { year: "2-digit", month: "numeric", day: "numeric" } },
  time: { full: { hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "long" }, long: { hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short" }, medium: { hour: "numeric", minute: "2-digit", second: "2-digit" }, short: { hour: "numeric", minute: "2-digit" } },
};

const two = (n) => (n < 10 ? `0${n}` : `${n}`);

// fieldsOf takes an instant apart in a zone.
export function fieldsOf(zone, time) {
  const at = offsetAt(zone, time);
  const local = new Date(time + at.offset * 60_000);
  return {
    year: local.getUTCFullYear(), month: local.getUTCMonth(), day: local.getUTCDate(), weekday: local.getUTCDay(), hour: local.getUTCHours(), minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(), millisecond: local.getUTCMilliseconds(), ...at,
  };
}

function offsetText(minutes, long) {
  if (minutes === 0) return "GMT";
  const n = Math.abs(Math.round(minutes));
  const [hours, rest] = [Math.floor(n / 60), n % 60];
  return `GMT${minutes < 0 ? "-" : "+"}${long ? two(hours) : hours}${long || rest ? `:${two(rest)}` : ""}`;
}

function zoneName(kind, zone, f) {
  if (kind === "longOffset") return offsetText(f.offset, true);
  if (kind === "shortOffset") return offsetText(f.offset, false);
  if (zone.name === "UTC") return kind === "long" ? "Coordinated Universal Time" : "UTC";
  if (kind === "long" && american[zone.name]) return `${american[zone.name]} ${f.daylight ? "Daylight" : "Standard"} Time`;
  if (/^[ECMP][SD]T$/.test(f.abbreviation) && zone.name.startsWith("America/")) return f.abbreviation;
  return offsetText(f.offset, kind === "long");
}

export class DateTimeFormat {
  #o;
  #zone;
  #bound;
  constructor(locales = undefined, options = undefined, required = "any", defaults = "date") {
    options = options === undefined ? {} : Object(options);
    const locale = resolveLocale(locales);
    const o = { locale, calendar: "gregory", numberingSystem: "latn" };
    this.#zone = options.timeZone === undefined ? zoneOf("UTC") : zoneOf(options.timeZone);
    o.timeZone = this.#zone.name;
    const british = BRITISH.includes(locale);
    const cycle = option(options, "hourCycle", ["h11", "h12", "h23", "h24"], undefined);
    const h12 = options.hour12 === undefined ? undefined : Boolean(options.hour12);
    const hourCycle = h12 === undefined ? cycle ?? (locale === "en-GB" ? "h23" : "h12") : h12 ? "h12" : "h23";
    const dateStyle = option(options, "dateStyle", ["full", "long", "medium", "short"], undefined);
    const timeStyle = option(options, "timeStyle", ["full", "long", "medium", "short"], undefined);
    const fields = {
      weekday: option(options, "weekday", ["narrow", "short", "long"], undefined), era: option(options, "era", ["narrow", "short", "long"], undefined),
      year: option(options, "year", ["2-digit", "numeric"], undefined), month: option(options, "month", ["2-digit", "numeric", "narrow", "short", "long"], undefined),
      day: option(options, "day", ["2-digit", "numeric"], undefined), dayPeriod: option(options, "dayPeriod", ["narrow", "short", "long"], undefined),
      hour: option(options, "hour", ["2-digit", "numeric"], undefined), minute: option(options, "minute", ["2-digit", "numeric"], undefined), second: option(options, "second", ["2-digit", "numeric"], undefined),
      fractionalSecondDigits: options.fractionalSecondDigits === undefined ? undefined : Number(options.fractionalSecondDigits),
      timeZoneName: option(options, "timeZoneName", ["short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric"], undefined),
    };
    if (fields.fractionalSecondDigits !== undefined && !(fields.fractionalSecondDigits >= 1 && fields.fractionalSecondDigits <= 3)) throw new RangeError("fractionalSecondDigits value is out of range.");
    if (dateStyle !== undefined || timeStyle !== undefined) {
      for (const name of Object.keys(fields)) if (fields[name] !== undefined) throw new TypeError(`Can't set option ${name} when ${dateStyle !== undefined ? "dateStyle" : "timeStyle"} is used`);
      o.dateStyle = dateStyle;
      o.timeStyle = timeStyle;
      Object.assign(fields, dateStyle && styles.date[dateStyle], timeStyle && styles.time[timeStyle]);
      if (british && dateStyle === "short") Object.assign(fields, { year: "numeric", month: "2-digit", day: "2-digit" });
    } else {
      const hasDate = fields.weekday ?? fields.year ?? fields.month ?? fields.day;
      const hasTime = fields.dayPeriod ?? fields.hour ?? fields.minute ?? fields.second ?? fields.fractionalSecondDigits;
      const nothing = required === "date" ? hasDate === undefined : required === "time" ? hasTime === undefined : hasDate === undefined && hasTime === undefined;
      if (nothing && (defaults === "date" || defaults === "all")) fields.year = fields.month = fields.day = "numeric";
      if (nothing && (defaults === "time" || defaults === "all")) Object.assign(fields, { hour: "numeric", minute: "2-digit", second: "2-digit" });
    }
    if (fields.hour !== undefined) {
      o.hourCycle = hourCycle;
      o.hour12 = hourCycle === "h12" || hourCycle === "h11";
    }
    // As the locale's patterns have them: minutes and seconds in two digits.
    if (fields.minute !== undefined && (fields.hour !== undefined || fields.second !== undefined)) fields.minute = "2-digit";
    if (fields.second !== undefined && fields.minute !== undefined) fields.second = "2-digit";
    if (fields.hour !== undefined && !o.hour12) fields.hour = "2-digit";
    for (const name of Object.keys(fields)) if (fields[name] !== undefined) o[name] = fields[name];
    this.#o = o;
  }

  static supportedLocalesOf(locales) { return canonicalLocales(locales).filter((l) => l.startsWith("en")); }

  #date(f) {
    const o = this.#o;
    const british = BRITISH.includes(o.locale);
    const parts = [];
    const add = (type, value) => parts.push({ type, value });
    const text = o.month === "long" || o.month === "short" || o.month === "narrow";
    const era = o.era !== undefined;
    const yearValue = era && f.year <= 0 ? 1 - f.year : f.year;
    const year = o.year === undefined ? undefined : o.year === "2-digit" ? two(Math.abs(yearValue) % 100) : `${yearValue}`;
    const monthNumber = o.month === "2-digit" || (british && o.day !== undefined && o.year !== undefined) ? two(f.month + 1) : `${f.month + 1}`;
    const month = o.month === undefined ? undefined : o.month === "long" ? months[f.month] : o.month === "short" ? (british && f.month === 8 ? "Sept" : months[f.month].slice(0, 3)) : o.month === "narrow" ? months[f.month][0] : monthNumber;
    const day = o.day === undefined ? undefined : o.day === "2-digit" || (british && !text && month !== undefined && year !== undefined) ? two(f.day) : `${f.day}`;
    const name = weekdays[f.weekday];
    const weekday = o.weekday === undefined ? undefined : o.weekday === "long" ? name : o.weekday === "short" ? name.slice(0, 3) : name[0];
    if (weekday !== undefined) {
      if (day !== undefined && month === undefined && year === undefined) {
        add("day", day);
        add("literal", " ");
        add("weekday", weekday);
        return parts;
      }
      add("weekday", weekday);
      if (day !== undefined || month !== undefined || year !== undefined) add("literal", ", ");
    }
    const order = british ? [["day", day], ["month", month], ["year", year]] : [["month", month], ["day", day], ["year", year]];
    let first = true;
    for (const [type, value] of order) {
      if (value === undefined) continue;
      if (!first) add("literal", !text ? "/" : british || type !== "year" || day === undefined ? " " : ", ");
      add(type, value);
      first = false;
    }
    if (era) {
      add("literal", " ");
      add("era", o.era === "long" ? (f.year > 0 ? "Anno Domini" : "Before Christ") : o.era === "narrow" ? (f.year > 0 ? "A" : "B") : f.year > 0 ? "AD" : "BC");
    }
    return parts;
  }

  #time(f) {
    const o = this.#o;
    const parts = [];
    const add = (type, value) => parts.push({ type, value });
    if (o.hour !== undefined) {
      const h = o.hourCycle === "h12" ? f.hour % 12 || 12 : o.hourCycle === "h11" ? f.hour % 12 : o.hourCycle === "h24" ? f.hour || 24 : f.hour;
      add("hour", o.hour === "2-digit" ? two(h) : `${h}`);
    }
    if (o.minute !== undefined) {
      if (parts.length > 0) add("literal", ":");
      add("minute", o.minute === "2-digit" && (o.hour !== undefined || o.second !== undefined) ? two(f.minute) : `${f.minute}`);
    }
    if (o.second !== undefined) {
      if (parts.length > 0) add("literal", ":");
      add("second", o.minute !== undefined ? two(f.second) : `${f.second}`);
    }
    if (o.fractionalSecondDigits !== undefined) {
      if (parts.length > 0) add("literal", ".");
      add("fractionalSecond", `${f.millisecond}`.padStart(3, "0").slice(0, o.fractionalSecondDigits));
    }
    if (o.hour !== undefined && o.hour12) {
      add("literal", " ");
      add("dayPeriod", BRITISH.includes(o.locale) ? (f.hour < 12 ? "am" : "pm") : f.hour < 12 ? "AM" : "PM");
    }
    return parts;
  }

  formatToParts(date = undefined) {
    const time = date === undefined ? Date.now() : Number(date);
    if (!(Math.abs(time) <= 8.64e15)) throw new RangeError("Invalid time value");
    const o = this.#o;
    const f = fieldsOf(this.#zone, Math.floor(time));
    const parts = this.#date(f);
    const clock = this.#time(f);
    if (parts.length > 0 && clock.length > 0) {
      const at = o.dateStyle === undefined ? o.month === "long" : o.dateStyle === "full" || o.dateStyle === "long";
      parts.push({ type: "literal", value: at ? " at " : ", " });
    }
    parts.push(...clock);
    if (o.timeZoneName !== undefined) {
      if (parts.length > 0) parts.push({ type: "literal", value: clock.length > 0 ? " " : ", " });
      parts.push({ type: "timeZoneName", value: zoneName(o.timeZoneName, this.#zone, f) });
    }
    return parts;
  }
  #format(date) {
    let text = "";
    for (const part of this.formatToParts(date)) text += part.value;
    return text;
  }
  get format() {
    this.#bound ??= (date = undefined) => this.#format(date);
    return this.#bound;
  }
  formatRange(from, to) {
    const [a, b] = [this.#format(from), this.#format(to)];
    return a === b ? a : `${a} – ${b}`;
  }
  resolvedOptions() { return { ...this.#o }; }
}
