// talks to the peer
import OpenAI from "openai";
import { equal, match } from "../check.js";

const client = new OpenAI({ apiKey: "sk-test", baseURL: `${process.env.PEER}/v1`, maxRetries: 1, dangerouslyAllowBrowser: true });
const chat = await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }] });
equal([chat.choices[0].message.content, chat.usage.total_tokens], ["you said hi", 3]);
let text = "";
const stream = await client.chat.completions.create({ model: "m", stream: true, messages: [{ role: "user", content: "count" }] });
for await (const part of stream) text += part.choices[0]?.delta?.content ?? "";
equal(text, "1 2 3 ä");
const failure = await client.models.retrieve("none").catch((e) => e);
equal([failure.constructor.name, failure.status, failure.message], ["NotFoundError", 404, "404 no such model"]);
match(String(client.baseURL), /^http:\/\/127\.0\.0\.1/);
const file = await client.files.create({ file: new File(["line"], "a.jsonl"), purpose: "batch" });
equal([file.filename, file.bytes], ["a.jsonl", 4]);
equal((await client.models.list({ signal: AbortSignal.abort() }).catch((e) => e)).constructor.name, "APIUserAbortError");
