const bytes = new Uint8Array(48 << 20);
for (let i = 0; ; i++) bytes.fill(i & 255);
