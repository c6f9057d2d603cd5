const text = "e\u0301\u0323".repeat(500_000);
for (;;) text.normalize("NFC");
