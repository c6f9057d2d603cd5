"""The module mayfly that programs see: what the host has given them."""

import builtins
import json
import os
import sys
from types import ModuleType

_given = b""


def give(data):
    """Sets the input of an execution: JSON, or nothing."""
    global _given
    _given = data
    if "input" in module.__dict__:
        del module.__dict__["input"]


class Platform(ModuleType):
    """Its attribute input is decoded when it is first asked for."""

    def __getattr__(self, name):
        if name != "input":
            raise AttributeError(f"module 'mayfly' has no attribute {name!r}")
        value = json.loads(_given) if _given else None
        self.__dict__["input"] = value
        return value

    def __dir__(self):
        return sorted({*self.__dict__, "input"})


module = Platform("mayfly", """What the execution was given.

input: the execution's input, as of JSON; None without one.
""")


HOME = "/workspace"  # the working directory of the image, and of programs that name none

_expanduser = os.path.expanduser


def expanduser(path):
    """os.path.expanduser, with a home also where the environment names none."""
    expanded = _expanduser(path)
    if expanded == "~" or type(expanded) is str and expanded.startswith("~/"):
        return HOME + expanded[1:]
    return expanded


def install():
    """Makes the module importable, and a builtin name; gives programs a home."""
    sys.modules["mayfly"] = module
    builtins.mayfly = module
    expanduser.__doc__ = _expanduser.__doc__
    os.path.expanduser = expanduser
