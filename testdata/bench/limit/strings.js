const text = "x".repeat(8 << 20);
for (;;) text.indexOf("xxxxxxxy"), text.split("").length, text.toUpperCase();
