const bytes = new Uint8Array(48 << 20);
for (;;) bytes.copyWithin(1, 0);
