// node:constants: those of os and fs together.
import { constants as fs } from "mayfly:fs";
import os from "node:os";

const constants = Object.freeze({ ...os.constants.errno, ...os.constants.priority, ...os.constants.signals, ...fs });
export default constants;
