// Time zones by their IANA names, from the data of the package moment-timezone
// (MIT): text that is searched when a zone is asked for, and rules up to 2037.
import { Map, RangeError } from "mayfly:intrinsics";
import text from "mayfly:npm/moment-timezone/data/packed/latest.json" with { type: "text" };

const links = text.indexOf('"links"');
const zones = new Map();
const UTC = { name: "UTC", untils: [], offsets: [0], abbreviations: ["UTC"] };

// fromBase60 reads a number of the packed form: minutes.
function fromBase60(digits) {
  const sign = digits[0] === "-" ? -1 : 1;
  const [whole, fraction = ""] = digits.replace("-", "").split(".");
  const digit = (c) => {
    const code = c.charCodeAt(0);
    return code > 96 ? code - 87 : code > 64 ? code - 29 : code - 48;
  };
  let value = 0;
  for (const c of whole) value = value * 60 + digit(c);
  let scale = 1;
  for (const c of fraction) value += digit(c) * (scale /= 60);
  return sign * value;
}

function line(name) {
  const at = text.indexOf(`"${name}|`);
  return at < 0 || at > links ? undefined : text.slice(at + 1, text.indexOf('"', at + 1));
}

function unpack(name) {
  let packed = line(name);
  if (packed === undefined) { // another name of one: "Real/Name|Other/Name"
    const at = text.indexOf(`|${name}"`, links);
    if (at < 0) return undefined;
    packed = line(text.slice(text.lastIndexOf('"', at) + 1, at));
    if (packed === undefined) return undefined;
  }
  const [, abbreviations, offsets, indices, differences] = packed.split("|");
  const [names, values] = [abbreviations.split(" "), offsets.split(" ").map(fromBase60)];
  const order = indices.split("").map(fromBase60);
  const untils = [];
  let at = 0;
  for (const d of differences === "" ? [] : differences.split(" ")) untils.push((at += fromBase60(d)) * 60_000);
  return { name, untils, offsets: order.map((i) => -values[i] || 0), abbreviations: order.map((i) => names[i]) };
}

// zoneOf answers a zone by its name in any case, or a fixed offset as +01:00.
export function zoneOf(name) {
  const asked = `${name}`;
  const offset = /^([+-])([01]\d|2[0-3])(?::?([0-5]\d))?$/.exec(asked);
  if (offset !== null) {
    const minutes = (offset[1] === "-" ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0));
    return { name: `${offset[1]}${offset[2]}:${offset[3] ?? "00"}`, untils: [], offsets: [minutes], abbreviations: [`GMT${minutes === 0 ? "" : offset[0]}`] };
  }
  if (/^(?:etc\/)?(?:utc|uct|gmt|zulu|universal|greenwich|gmt0|gmt[+-]0)$/i.test(asked)) return UTC;
  let zone = zones.get(asked);
  if (zone === undefined && /^[A-Za-z][\w+-]*(?:\/[\w+-]+)*$/.test(asked)) {
    zone = unpack(asked);
    if (zone === undefined) { // in the case that the data has
      const found = new RegExp(`["|](${asked.replace(/[+]/g, "\\+")})["|]`, "i").exec(text);
      if (found !== null) zone = unpack(found[1]);
    }
    if (zone !== undefined) zones.set(asked, zone);
  }
  if (zone === undefined) throw new RangeError(`Invalid time zone specified: ${asked}`);
  return zone;
}

// after2037 is an instant with the same calendar before the data ends: years
// repeat after 28 of them.
const END = Date.UTC(2037, 0, 1);
const CYCLE = 28 * 365.25 * 86_400_000;

// offsetAt answers a zone's offset from UTC in minutes, and its abbreviation.
export function offsetAt(zone, time) {
  if (time >= END && zone.untils.length > 1) time -= Math.ceil((time - END + 1) / CYCLE) * CYCLE;
  const { untils } = zone;
  let [low, high] = [0, untils.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (time < untils[middle]) high = middle;
    else low = middle + 1;
  }
  const at = Math.min(low, zone.offsets.length - 1);
  return { offset: zone.offsets[at], abbreviation: zone.abbreviations[at], daylight: zone.offsets.some((o) => o < zone.offsets[at]) };
}

export function zoneNames() {
  const names = [];
  for (const [, name] of text.slice(0, links).matchAll(/"([A-Z]\w+\/[\w/+-]+|UTC)\|/g)) names.push(name);
  return names.sort();
}
