// TextEncoderStream and TextDecoderStream, after the Encoding standard (§8).
import { bytesOfChunk } from "mayfly:compression-stream";
import { utf8Encode } from "mayfly:host";
import { defineInterface, expose } from "mayfly:interface";
import { StringPrototypeCharCodeAt, StringPrototypeSlice, StringPrototypeToWellFormed, uncurryThis } from "mayfly:primordials";
import { enqueueTransformed, newTransform, readableOf, writableOf } from "mayfly:streams";

const IntrinsicTextDecoder = globalThis.TextDecoder;
const decode = uncurryThis(IntrinsicTextDecoder.prototype.decode);
const getter = (name) => uncurryThis(Reflect.getOwnPropertyDescriptor(IntrinsicTextDecoder.prototype, name).get);
const encodingOf = getter("encoding");
const fatalOf = getter("fatal");
const ignoreBOMOf = getter("ignoreBOM");

export class TextEncoderStream {
  #transform;
  constructor() {
    let high = "";
    this.#transform = newTransform({
      __proto__: null,
      transform(chunk, controller) {
        // A pair of surrogates may be split over two chunks.
        let text = high + `${chunk}`;
        high = "";
        const { length } = text;
        const last = length > 0 ? StringPrototypeCharCodeAt(text, length - 1) : 0;
        if (last >= 0xd800 && last < 0xdc00) {
          high = StringPrototypeSlice(text, length - 1);
          text = StringPrototypeSlice(text, 0, length - 1);
        }
        if (text !== "") enqueueTransformed(controller, utf8Encode(StringPrototypeToWellFormed(text)));
      },
      flush(controller) {
        if (high !== "") enqueueTransformed(controller, utf8Encode("\ufffd"));
      },
    });
  }
  get encoding() { this.#transform; return "utf-8"; }
  get readable() { return readableOf(this.#transform); }
  get writable() { return writableOf(this.#transform); }
}
defineInterface(TextEncoderStream);

const more = { __proto__: null, stream: true };

export class TextDecoderStream {
  #transform;
  #decoder;
  constructor(label = "utf-8", options = undefined) {
    const decoder = new IntrinsicTextDecoder(label, options);
    this.#decoder = decoder;
    this.#transform = newTransform({
      __proto__: null,
      transform(chunk, controller) {
        const text = decode(decoder, bytesOfChunk(chunk, "TextDecoderStream"), more);
        if (text !== "") enqueueTransformed(controller, text);
      },
      flush(controller) {
        const text = decode(decoder);
        if (text !== "") enqueueTransformed(controller, text);
      },
    });
  }
  get encoding() { return encodingOf(this.#decoder); }
  get fatal() { return fatalOf(this.#decoder); }
  get ignoreBOM() { return ignoreBOMOf(this.#decoder); }
  get readable() { return readableOf(this.#transform); }
  get writable() { return writableOf(this.#transform); }
}
defineInterface(TextDecoderStream);

expose({ TextEncoderStream, TextDecoderStream });
