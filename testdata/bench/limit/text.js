const text = "grün ".repeat(1 << 21);
const encoder = new TextEncoder(), decoder = new TextDecoder();
for (;;) decoder.decode(encoder.encode(text));
