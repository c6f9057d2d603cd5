const log = (...args) => console.log(...args.map((a) => (typeof a === "string" ? a.replace(/[\u202f\u00a0]/g, "~") : a)));
const n = (x, o) => new Intl.NumberFormat("en-US", o).format(x);
log(n(1234567.891), n(-0.5), n(1e21), n(0.1 + 0.2), n(12345678901234567890n), n(NaN), n(-Infinity), n(1.005, { maximumFractionDigits: 2 }), n(0.00000123, { maximumFractionDigits: 8 }));
log(n(1234.5, { style: "currency", currency: "USD" }), n(-1234.5, { style: "currency", currency: "EUR" }), n(1234.5, { style: "currency", currency: "JPY" }), n(-5, { style: "currency", currency: "USD", currencySign: "accounting" }), n(5, { style: "currency", currency: "CHF" }), n(2, { style: "currency", currency: "USD", currencyDisplay: "name" }));
log(n(0.256, { style: "percent" }), n(0.256, { style: "percent", maximumFractionDigits: 1 }), n(1234, { notation: "compact" }), n(1.5e9, { notation: "compact", compactDisplay: "long" }), n(999999, { notation: "compact" }), n(12345, { notation: "scientific" }), n(12345, { notation: "engineering" }));
log(n(3.14159, { maximumFractionDigits: 2 }), n(3, { minimumFractionDigits: 2 }), n(123456, { maximumSignificantDigits: 3 }), n(0.00012345, { maximumSignificantDigits: 2 }), n(5, { minimumIntegerDigits: 2 }), n(1234, { useGrouping: false }), n(5, { signDisplay: "always" }), n(0, { signDisplay: "exceptZero" }));
log(n(16, { style: "unit", unit: "liter" }), n(1, { style: "unit", unit: "day", unitDisplay: "long" }), n(50, { style: "unit", unit: "kilometer-per-hour" }), n(20, { style: "unit", unit: "celsius" }));
log(JSON.stringify(new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" }).formatToParts(-1234.5)));
log((1234.5).toLocaleString(), (12n ** 20n).toLocaleString("en-US"), [1234.5, 6].toLocaleString());
const d = new Date(Date.UTC(2024, 1, 29, 12, 30, 5, 67));
const f = (o, l = "en-US") => new Intl.DateTimeFormat(l, { timeZone: "UTC", ...o }).format(d);
log(f({}), f({ dateStyle: "full" }), f({ dateStyle: "long", timeStyle: "short" }), f({ dateStyle: "medium", timeStyle: "medium" }), f({ dateStyle: "short", timeStyle: "long" }), f({ timeStyle: "full" }));
log(f({ weekday: "short", month: "short", day: "numeric" }), f({ month: "long", year: "numeric" }), f({ year: "numeric", month: "2-digit", day: "2-digit" }), f({ hour: "2-digit", minute: "2-digit" }), f({ hour: "numeric" }), f({ hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }), f({ weekday: "long" }), f({ month: "long", day: "numeric" }), f({ year: "numeric" }));
log(f({ dateStyle: "full" }, "en-GB"), f({}, "en-GB"), f({ dateStyle: "medium", timeStyle: "short" }, "en-GB"), f({ hour: "numeric", minute: "numeric", second: "numeric", fractionalSecondDigits: 3, hour12: false }));
for (const timeZone of ["America/New_York", "Europe/Paris", "Asia/Tokyo", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "US/Pacific"]) {
  log(...[0, 182, 365 * 20].map((days) => new Intl.DateTimeFormat("en-US", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(new Date(Date.UTC(2024, 0, 15, 12) + days * 86400000))), new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "shortOffset" }).format(d));
}
log(new Intl.DateTimeFormat("en-US", { timeZone: "America/New_York", timeZoneName: "short" }).format(d), new Intl.DateTimeFormat("en-US", { timeZone: "America/Los_Angeles", timeZoneName: "long" }).format(d));
try { new Intl.DateTimeFormat("en", { timeZone: "Mars/Olympus" }); } catch (error) { log(error.name, error.message); }
log(JSON.stringify(new Intl.DateTimeFormat("en-US", { timeZone: "Europe/Berlin", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).formatToParts(d)));
log(d.toLocaleDateString("en-US", { timeZone: "UTC", month: "short", day: "numeric", year: "numeric" }), d.toLocaleTimeString("en-US", { timeZone: "UTC" }), d.toLocaleString("en-US", { timeZone: "UTC" }), new Date(NaN).toLocaleString());
const plural = new Intl.PluralRules("en-US", { type: "ordinal" });
log([1, 2, 3, 4, 11, 21, 112].map((x) => plural.select(x)), [0, 1, 1.5, 2].map((x) => new Intl.PluralRules("en").select(x)));
const r = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
log(r.format(-1, "day"), r.format(1, "week"), r.format(-3, "months"), r.format(2, "hour"), new Intl.RelativeTimeFormat("en").format(1, "day"), new Intl.RelativeTimeFormat("en", { style: "short" }).format(-5, "minute"));
log(new Intl.ListFormat("en").format(["a", "b", "c"]), new Intl.ListFormat("en", { type: "disjunction" }).format(["a", "b"]), new Intl.ListFormat("en", { style: "short" }).format(["a", "b", "c"]), new Intl.ListFormat("en").format(["a"]));
log(["b", "a", "Z", "z", "ä", "A", "10", "9", "_"].sort(new Intl.Collator("en").compare), ["a10", "a9", "a1"].sort(new Intl.Collator("en", { numeric: true }).compare), "a".localeCompare("B"), "résumé".localeCompare("resume"), "a".localeCompare("A", "en", { sensitivity: "base" }));
log([...new Intl.Segmenter("en", { granularity: "grapheme" }).segment("aé👨‍👩‍👧🇩🇪e\u0301한")].map((s) => s.segment), [...new Intl.Segmenter("en", { granularity: "word" }).segment("Hello, it's 3.5 me")].filter((s) => s.isWordLike).map((s) => s.segment));
log(Intl.getCanonicalLocales(["EN-us", "zh-hans-cn"]), Intl.DateTimeFormat.supportedLocalesOf(["en-US"]), Intl.supportedValuesOf("timeZone").length > 300, Object.prototype.toString.call(Intl));
try { Intl.getCanonicalLocales("not a locale"); } catch (error) { log(error.name); }
log(new Intl.Locale("en-Latn-US").region, Intl.NumberFormat("en").format(5), Intl.DateTimeFormat().resolvedOptions().locale);
