// talks to the peer
import Anthropic from "@anthropic-ai/sdk";
import { equal } from "../check.js";

const client = new Anthropic({ apiKey: "test", baseURL: process.env.PEER, maxRetries: 2, dangerouslyAllowBrowser: true });
const message = await client.messages.create({ model: "m", max_tokens: 10, messages: [{ role: "user", content: "hi" }] });
equal([message.content[0].text, message.stop_reason], ["you said hi", "end_turn"]);
const stream = client.messages.stream({ model: "m", max_tokens: 10, messages: [{ role: "user", content: "count" }] });
const seen = [];
stream.on("text", (t) => seen.push(t));
const last = await stream.finalMessage();
equal([seen.join(""), last.content[0].text], ["1 2 3", "1 2 3"]);
const failure = await client.messages.create({ model: "bad", max_tokens: 1, messages: [] }).catch((e) => e);
equal([failure instanceof Anthropic.BadRequestError, failure.status, failure.error.error.type], [true, 400, "invalid_request_error"]);
