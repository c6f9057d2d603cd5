// node:util/types
import * as types from "mayfly:types";

export default types;
export * from "mayfly:types";
