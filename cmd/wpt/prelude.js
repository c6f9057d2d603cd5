// Evaluated before testharness.js, in the same script: what the suite's tests
// expect of the place where they run, and the way back for their results.
{
  const { parse, stringify } = JSON;
  const { write } = process.stdout;
  const { exit } = process;
  const stdout = process.stdout;
  const { origin, path, milliseconds } = parse(process.argv[2]);

  // A line for each result, after a mark that tests don't print.
  globalThis.__report = (result) => { write.call(stdout, `\u0001${stringify(result)}\n`); };
  globalThis.__exit = () => exit(0);
  globalThis.__milliseconds = milliseconds;

  globalThis.GLOBAL = { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false };
  const { href, protocol, host, hostname, port, pathname, search, hash } = new URL(path, origin);
  globalThis.location = { href, origin, protocol, host, hostname, port, pathname, search, hash, toString: () => href };

  // testharness.js would wait for a service worker's events.
  const { ServiceWorkerGlobalScope, WorkerGlobalScope } = globalThis;
  delete globalThis.ServiceWorkerGlobalScope;
  delete globalThis.WorkerGlobalScope;
  globalThis.__scopes = { ServiceWorkerGlobalScope, WorkerGlobalScope };

  // Relative URLs are of the test's file: a server has no base URL.
  const { fetch } = globalThis;
  globalThis.fetch = function (input, init) {
    return fetch(typeof input === "string" || input instanceof URL ? new URL(input, location).href : input, init);
  };

  // Errors that a test's own listeners saw, and let pass, don't end the file.
  process.on("uncaughtException", () => {});
  process.on("unhandledRejection", () => {});
}
