// Locales, after ECMA-402: tags are checked and put into their usual form; what
// is formatted is English, in the order of the United States or of Britain.
import { RangeError, TypeError } from "mayfly:intrinsics";

const TAG = /^(?:[a-z]{2,3}|[a-z]{5,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*(?:-[a-wyz\d](?:-[a-z\d]{2,8})+)*(?:-x(?:-[a-z\d]{1,8})+)?$/i;

function canonicalLocale(tag) {
  if (!TAG.test(tag)) throw new RangeError(`Incorrect locale information provided`);
  let extension = false;
  return tag.toLowerCase().split("-").map((part, i) => {
    if (part.length === 1) extension = true;
    if (i === 0 || extension) return part;
    if (part.length === 4 && /^[a-z]/.test(part)) return part[0].toUpperCase() + part.slice(1);
    return part.length === 2 ? part.toUpperCase() : part;
  }).join("-");
}

export function canonicalLocales(locales) {
  if (locales === undefined) return [];
  if (locales === null) throw new TypeError("Cannot convert undefined or null to object");
  const list = typeof locales === "string" || typeof locales.toString === "function" && !Array.isArray(locales) && typeof locales !== "number" ? [locales] : locales;
  const found = [];
  for (const each of Array.from(list)) {
    if (typeof each !== "string" && (typeof each !== "object" || each === null)) throw new TypeError("Incorrect locale information provided");
    const tag = canonicalLocale(`${each}`);
    if (!found.includes(tag)) found.push(tag);
  }
  return found;
}

export const BRITISH = ["en-GB", "en-AU", "en-NZ", "en-IE", "en-IN", "en-ZA"];

// resolveLocale answers the first that is English, else en-US.
export function resolveLocale(locales) {
  for (const tag of canonicalLocales(locales)) {
    const [base] = tag.split("-u-");
    if (base === "en" || base.startsWith("en-")) return base;
  }
  return "en-US";
}

export function option(options, name, values, fallback) {
  const value = options?.[name];
  if (value === undefined) return fallback;
  const text = `${value}`;
  if (values !== undefined && !values.includes(text)) throw new RangeError(`Value ${text} out of range for Intl options property ${name}`);
  return text;
}
