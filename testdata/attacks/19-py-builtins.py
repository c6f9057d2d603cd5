"""---
rows = [19]
attack = "a program that takes the interpreter apart harms only itself"
outcomes = ["ok", "exception"]
absent = "internalError"
---"""
import builtins, sys, json, io, struct
for module in list(sys.modules.values()):
    for name in list(vars(module)):
        if module is not builtins and name not in ("__builtins__",):
            try:
                delattr(module, name)
            except Exception:
                pass
sys.modules.clear()
sys.path.clear()
sys.stdout = sys.stderr = sys.stdin = None
for name in list(vars(builtins)):
    try:
        delattr(builtins, name)
    except BaseException:
        pass
