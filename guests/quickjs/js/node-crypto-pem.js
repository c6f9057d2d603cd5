// PEM (RFC 7468): text around the encoding of a key.
import { decodeText, encodeText } from "mayfly:buffer";
import { openssl } from "mayfly:node-crypto-input";
import { StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeTrim } from "mayfly:primordials";

const BEGIN = "-----BEGIN ";
const DASHES = "-----";

export const unsupported = () => openssl("ERR_OSSL_UNSUPPORTED", "DECODER routines", "unsupported", "error:1E08010C:DECODER routines::unsupported");

// FORMATS are the formats of the host, by PEM's labels.
const FORMATS = {
  __proto__: null, "PUBLIC KEY": "spki", "PRIVATE KEY": "pkcs8", "RSA PUBLIC KEY": "pkcs1", "RSA PRIVATE KEY": "pkcs1", "EC PRIVATE KEY": "sec1", CERTIFICATE: "x509",
};

// parsePEM answers the format and the bytes of the first key in a text,
// undefined if there is none.
export function parsePEM(text) {
  let from = 0;
  for (;;) {
    const begin = StringPrototypeIndexOf(text, BEGIN, from);
    if (begin < 0) return undefined;
    const named = begin + BEGIN.length;
    const end = StringPrototypeIndexOf(text, DASHES, named);
    if (end < 0) return undefined;
    const label = StringPrototypeSlice(text, named, end);
    const close = StringPrototypeIndexOf(text, `-----END ${label}-----`, end);
    if (close < 0) return undefined;
    const format = FORMATS[label];
    if (format !== undefined) {
      const body = StringPrototypeTrim(StringPrototypeSlice(text, end + DASHES.length, close));
      if (StringPrototypeIndexOf(body, ":", 0) >= 0) throw unsupported(); // encrypted, as headers say
      return { __proto__: null, format, bytes: encodeText(body, "base64"), isPrivate: label !== "PUBLIC KEY" && label !== "RSA PUBLIC KEY" && label !== "CERTIFICATE" };
    }
    from = close;
  }
}

export function formatPEM(label, bytes) {
  const text = decodeText(bytes, "base64");
  let pem = `-----BEGIN ${label}-----\n`;
  for (let i = 0; i < text.length; i += 64) pem += `${StringPrototypeSlice(text, i, i + 64)}\n`;
  return `${pem}-----END ${label}-----\n`;
}
