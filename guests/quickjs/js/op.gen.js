// Code generated from host/op/ops.json by host/op/gen; DO NOT EDIT.

export const WRITE = 1;
export const RESULT = 2;
export const FAIL = 3;
export const EXIT = 4;
export const RESOLVE = 5;
export const LOAD = 6;
export const RANDOM = 7;
export const CLOCK = 8;
export const DIGEST = 9;
export const CANCEL = 10;
export const STDIN = 11;
export const DISPLAY = 12;
export const FS_READ = 20;
export const FS_WRITE = 21;
export const FS_READDIR = 22;
export const FS_STAT = 23;
export const FS_MKDIR = 24;
export const FS_RM = 25;
export const FS_RENAME = 26;
export const FS_COPY = 27;
export const FS_TRUNCATE = 28;
export const BODY_CANCEL = 30;
export const SLEEP = 64;
export const FETCH = 65;
export const BODY_READ = 66;
export const BODY_WRITE = 67;
