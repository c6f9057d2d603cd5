// What hashes, ciphers and signers extend: nothing, as there is no node:stream.
export class LazyTransform {}
export class LazyWritable {}
