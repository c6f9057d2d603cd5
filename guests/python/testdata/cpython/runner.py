"""Runs one module of CPython's own tests, and answers which tests failed."""
import sys

sys.path.insert(0, "/opt/cpython")
import collections
import contextlib
import io
import json
import os
import unittest
import warnings

import mayfly
import test.support

MODULE = mayfly.input["module"]
SKIP = frozenset(mayfly.input["skip"])


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.bad = {}
        self.good = 0

    def note(self, test, error):
        name = getattr(test, "test_case", test).id().removeprefix(f"test.{MODULE}.")
        self.bad.setdefault(name, "".join(unittest.TestResult._exc_info_to_string(self, error, getattr(test, "test_case", test)))[-1500:])

    def addError(self, test, error):
        self.note(test, error)

    addFailure = addError

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.note(test, error)

    def addUnexpectedSuccess(self, test):
        self.bad.setdefault(test.id().removeprefix(f"test.{MODULE}."), "unexpected success")

    def addSuccess(self, test):
        self.good += 1


def cases(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield cases_of(part)
        elif part.id().removeprefix(f"test.{MODULE}.") not in SKIP:
            yield part


def cases_of(suite):
    return type(suite)(cases(suite))


os.makedirs("/tmp/cpython", exist_ok=True)
os.chdir("/tmp/cpython")
warnings.simplefilter("ignore")
test.support.verbose = False
result = Result()
output = io.StringIO()
with contextlib.redirect_stdout(output):
    suite = unittest.defaultTestLoader.loadTestsFromName("test." + MODULE)
    cases_of(suite).run(result)
{"run": result.testsRun, "good": result.good, "skipped": len(result.skipped), "bad": result.bad}
