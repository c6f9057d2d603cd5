const text = "abc ".repeat(1 << 20);
for (;;) text.replaceAll("b", "BB");
