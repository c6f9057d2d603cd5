// What the tests here are written with: see README.md.
const tests = new Map();

export function test(name, run) {
  if (tests.has(name)) throw new Error(`there are two tests ${name}`);
  tests.set(name, run);
}

const shown = (value) => (value === undefined ? "undefined" : typeof value === "bigint" ? `${value}n` : JSON.stringify(value));

export function equal(got, want, what = "") {
  if (!Object.is(got, want) && shown(got) !== shown(want)) throw new Error(`${what}got ${shown(got)}, want ${shown(want)}`);
}

export function matches(got, pattern) {
  if (!pattern.test(got)) throw new Error(`got ${shown(got)}, want ${pattern}`);
}

export const message = (error) => (error instanceof Error || error instanceof DOMException ? `${error.name}: ${error.message}` : `thrown: ${shown(error)}`);

// fails wants an error: its name and message, as text or as a pattern.
export async function fails(run, want) {
  let got;
  try {
    got = `no error, but ${shown(await run())}`;
  } catch (error) {
    got = message(error);
  }
  if (typeof want === "string") equal(got, want);
  else matches(got, want);
}

// throws is fails for what has to throw at once, without a promise.
export function throws(run, want) {
  let got;
  try {
    const value = run();
    got = `no error, but ${typeof value?.then === "function" ? "a promise" : typeof value}`;
  } catch (error) {
    got = message(error);
  }
  if (typeof want === "string") equal(got, want);
  else matches(got, want);
}

export const suite = {
  async fetch(request, env, ctx) {
    const name = new URL(request.url).searchParams.get("test");
    if (name === null) return Response.json([...tests.keys()]);
    try {
      await tests.get(name)({ request, env, ctx });
      return new Response("ok");
    } catch (error) {
      return new Response(error instanceof Error ? `${message(error)}\n${error.stack}` : message(error), { status: 500 });
    }
  },
};
