const bytes = new Uint8Array(24 << 20);
for (;;) bytes.slice().set(bytes);
