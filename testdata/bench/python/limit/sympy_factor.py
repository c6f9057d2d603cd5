import sympy
sympy.factorint(2**211 - 1)
