// The modules that user code may import by name. They are evaluated at boot.
export const builtins = [];
