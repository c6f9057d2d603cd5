const text = "[" + "{\"a\":[1,2,3],\"b\":\"text\"},".repeat(60_000) + "0]";
for (;;) JSON.parse(text);
