// EventSource against a server.
import { check, done, same } from "./check.js";

const at = (path) => `http://${process.env.SERVER}${path}`;

const es = new EventSource(at("/events?type=text%2Fevent-stream%3Bcharset%3Dx"), { withCredentials: true });
same([es.readyState, es.withCredentials, es.url], [0, true, at("/events?type=text%2Fevent-stream%3Bcharset%3Dx")]);
const log = [];
es.onopen = (e) => { check(e.isTrusted && es.readyState === 1); log.push("open"); };
es.onerror = () => { log.push(`error ${es.readyState}`); };
await new Promise((resolve) => {
  es.onmessage = (e) => {
    same([e.origin, e.lastEventId], [`http://${process.env.SERVER}`, String(log.filter((l) => l.startsWith("text")).length + 1)]);
    log.push(e.data);
    if (log.filter((l) => l.startsWith("text")).length === 3) {
      es.close();
      resolve();
    }
  };
});
same(log, ["open", "text/event-stream ", "error 0", "open", "text/event-stream 1", "error 0", "open", "text/event-stream 2"]);
same(es.readyState, 2);

async function fails(url, what) {
  const source = new EventSource(url);
  source.onopen = () => check(false, `${what} opened`);
  const e = await new Promise((resolve) => { source.onerror = resolve; });
  same([source.readyState, typeof e.message], [2, "string"], what);
}
await fails(at("/events?type=text%2Fplain"), "another type");
await fails(at("/?status=204"), "no content");
await fails(at("/?status=500"), "a failure");
await fails("http://10.0.0.1/", "refused by the policy");
await fails(at(`/?status=302&location=${encodeURIComponent("http://10.0.0.1/")}`), "a redirect to what the policy refuses");

const redirected = new EventSource(at(`/?status=307&location=${encodeURIComponent("/events?type=text/event-stream")}`));
const first = await new Promise((resolve) => { redirected.onmessage = resolve; });
same([first.data, redirected.url.includes("status=307")], ["text/event-stream ", true]);
redirected.close();

// Closing while it connects, or waits to connect again.
const early = new EventSource(at("/slow"));
early.onerror = () => check(false, "no event comes after close()");
early.close();
same(early.readyState, 2);
const fetched = await fetch(at("/events?type=text/event-stream"));
const from = EventSource.from(fetched.body);
same((await new Promise((resolve) => { from.onmessage = resolve; })).data, "*/* ");
done();
