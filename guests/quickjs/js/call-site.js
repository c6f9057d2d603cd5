// Error.prepareStackTrace gets the frames of a stack, those of the platform
// among them. They tell names and places; getFunction would hand out functions
// of the inside, so there is none.
const { prepareStackTrace } = Error;
Error.prepareStackTrace = (_, sites) => sites;
const [site] = new Error().stack;
Error.prepareStackTrace = prepareStackTrace;
delete Object.getPrototypeOf(site).getFunction;
