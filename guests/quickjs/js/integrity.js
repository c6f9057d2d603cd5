// Subresource Integrity (https://www.w3.org/TR/SRI): whether a body is the one
// that fetch's option integrity describes.
import { digest } from "mayfly:crypto-host";
import native from "mayfly:native";
import {
  ArrayPrototypePush, StringPrototypeCharCodeAt, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeToLowerCase,
} from "mayfly:primordials";

const { btoa } = globalThis;
const strengths = { __proto__: null, sha256: 1, sha384: 2, sha512: 3 };
const algorithms = ["", "SHA-256", "SHA-384", "SHA-512"];

// matchesIntegrity compares with the digests of the strongest algorithm that is
// there. What is no digest says nothing.
export function matchesIntegrity(metadata, bytes) {
  let strongest = 0;
  let digests = [];
  let from = 0;
  for (let i = 0; i <= metadata.length; i++) {
    const c = i < metadata.length ? StringPrototypeCharCodeAt(metadata, i) : 0x20;
    if (c !== 0x20 && c !== 9 && c !== 10 && c !== 12 && c !== 13) continue;
    const item = StringPrototypeSlice(metadata, from, i);
    from = i + 1;
    const dash = StringPrototypeIndexOf(item, "-");
    const strength = dash < 0 ? 0 : strengths[StringPrototypeToLowerCase(StringPrototypeSlice(item, 0, dash))] ?? 0;
    if (strength === 0 || strength < strongest) continue;
    const options = StringPrototypeIndexOf(item, "?");
    if (strength > strongest) digests = [];
    strongest = strength;
    ArrayPrototypePush(digests, StringPrototypeSlice(item, dash + 1, options < 0 ? item.length : options));
  }
  if (strongest === 0) return true;
  const actual = withoutPadding(btoa(native.latin1Decode(digest(algorithms[strongest], bytes))));
  for (let i = 0; i < digests.length; i++) if (normal(digests[i]) === actual) return true;
  return false;
}

function withoutPadding(text) {
  let to = text.length;
  while (to > 0 && text[to - 1] === "=") to--;
  return StringPrototypeSlice(text, 0, to);
}

// normal is a digest in the common alphabet of base64.
function normal(text) {
  text = withoutPadding(text);
  let result = "";
  for (let i = 0; i < text.length; i++) result += text[i] === "-" ? "+" : text[i] === "_" ? "/" : text[i];
  return result;
}
