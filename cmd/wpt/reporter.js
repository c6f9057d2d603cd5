// Evaluated after testharness.js, before the test.
{
  const report = globalThis.__report, exit = globalThis.__exit;
  const timer = setTimeout(timeout, globalThis.__milliseconds);
  for (const [name, value] of Object.entries(globalThis.__scopes)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
  delete globalThis.__scopes;
  delete globalThis.__report;
  delete globalThis.__exit;
  delete globalThis.__milliseconds;
  const reported = new Set();
  const tell = ({ name, status, message }) => report({ name, status, message: message ?? "" });
  add_result_callback((test) => {
    reported.add(test);
    tell(test);
  });
  add_completion_callback((tests, status) => {
    clearTimeout(timer);
    for (const test of tests) if (!reported.has(test)) tell(test);
    report({ harness: true, status: status.status, message: status.message ?? "" });
    exit();
  });

  // An error at the top of a test is one that nobody caught, as a script's is.
  const evaluate = eval;
  globalThis.__evaluate = (source) => {
    delete globalThis.__evaluate;
    try {
      evaluate(source);
    } catch (error) {
      const event = new Event("error");
      event.error = error;
      event.message = String(error);
      dispatchEvent(event);
    }
  };
}
