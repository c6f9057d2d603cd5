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
  let evaluated = false;
  const reported = new Set();
  const tell = ({ name, status, message }) => report({ name, status, message: message ?? "" });
  add_result_callback((test) => {
    reported.add(test);
    tell(test);
  });
  add_completion_callback((tests, status) => {
    clearTimeout(timer);
    for (const test of tests) if (!reported.has(test)) tell(test);
    if (evaluated) report({ harness: true, status: status.status, message: status.message ?? "" });
    else report({ harness: true, status: 1, message: "the test threw an error at its top" });
    exit();
  });

  // The script's last statement; an error before it is one that nobody caught.
  globalThis.__evaluated = () => {
    delete globalThis.__evaluated;
    evaluated = true;
  };
}
