/* Code generated from host/op/ops.json by host/op/gen; DO NOT EDIT. */
#ifndef OP_GEN_H
#define OP_GEN_H

enum {
    OP_WRITE = 1,
    OP_RESULT = 2,
    OP_FAIL = 3,
    OP_EXIT = 4,
    OP_RESOLVE = 5,
    OP_LOAD = 6,
    OP_RANDOM = 7,
    OP_CLOCK = 8,
    OP_CANCEL = 10,
    OP_STDIN = 11,
    OP_DISPLAY = 12,
    OP_FS_READ = 20,
    OP_FS_WRITE = 21,
    OP_FS_READDIR = 22,
    OP_FS_STAT = 23,
    OP_FS_MKDIR = 24,
    OP_FS_RM = 25,
    OP_FS_RENAME = 26,
    OP_FS_COPY = 27,
    OP_FS_TRUNCATE = 28,
    OP_BODY_CANCEL = 30,
    OP_CRYPTO_HASH = 32,
    OP_CRYPTO_CIPHER = 33,
    OP_CRYPTO_SIGN = 34,
    OP_CRYPTO_DERIVE = 35,
    OP_CRYPTO_KEY = 36,
    OP_CRYPTO_GENERATE = 37,
    OP_COMPRESS_STEP = 38,
    OP_COMPRESS_CLOSE = 39,
    OP_DECODE = 40,
    OP_CRC32 = 41,
    OP_BINDINGS = 55,
    OP_SLEEP = 64,
    OP_FETCH = 65,
    OP_BODY_READ = 66,
    OP_BODY_WRITE = 67,
    OP_CONNECT = 68,
    OP_WEBSOCKET = 69,
    OP_WEBSOCKET_SEND = 70,
    OP_WEBSOCKET_RECEIVE = 71,
    OP_WEBSOCKET_CLOSE = 72,
    OP_BINDING = 76,
};

enum {
    EVENT_RUN = 1,
    EVENT_PREPARE = 2,
    EVENT_INVOKE = 3,
    EVENT_CELL = 4,
};

#endif
