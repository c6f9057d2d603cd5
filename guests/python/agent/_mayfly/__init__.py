"""What Mayfly adds to the interpreter: it takes the events of the host, runs
programs, and answers. It lives in the image of every isolate.

The modules here are loaded with names of their own for the builtins, so that a
program that assigns to those of its own harms itself only.
"""

import builtins
import sys
from importlib.machinery import FileFinder, SourceFileLoader

BUILTINS = dict(builtins.__dict__)


class Loader(SourceFileLoader):
    def exec_module(self, module):
        module.__dict__["__builtins__"] = BUILTINS
        super().exec_module(module)


sys.path_importer_cache[__path__[0]] = FileFinder(__path__[0], (Loader, [".py"]))
