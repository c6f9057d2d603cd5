/* Runs a script on QuickJS as a native program. For each round it makes a new
 * runtime, evaluates the script, and prints a line: the processor time of
 * parsing and running it in nanoseconds, a tab, the result as JSON. */
#define _GNU_SOURCE /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quickjs.h"

static long long thread_time(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static char *read_file(const char *path, size_t *length) {
  FILE *f = fopen(path, "rb");
  if (!f || fseek(f, 0, SEEK_END) != 0) return NULL;
  long size = ftell(f);
  rewind(f);
  char *text = size < 0 ? NULL : malloc((size_t)size + 1);
  if (text) {
    *length = fread(text, 1, (size_t)size, f);
    text[*length] = 0;
  }
  fclose(f);
  return text;
}

static int fail(JSContext *ctx) {
  JSValue error = JS_GetException(ctx);
  const char *text = JS_ToCString(ctx, error);
  fprintf(stderr, "%s\n", text ? text : "unknown error");
  return 1;
}

static int run(const char *path, const char *source, size_t length) {
  JSRuntime *rt = JS_NewRuntime();
  JSContext *ctx = rt ? JS_NewContext(rt) : NULL;
  if (!ctx) return 1;
  long long start = thread_time();
  JSValue result = JS_Eval(ctx, source, length, path, JS_EVAL_TYPE_GLOBAL);
  long long used = thread_time() - start;
  if (JS_IsException(result)) return fail(ctx);
  JSValue json = JS_JSONStringify(ctx, result, JS_UNDEFINED, JS_UNDEFINED);
  const char *text = JS_ToCString(ctx, json);
  if (!text) return fail(ctx);
  printf("%lld\t%s\n", used, text);
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, json);
  JS_FreeValue(ctx, result);
  JS_FreeContext(ctx);
  JS_FreeRuntime(rt);
  return 0;
}

int main(int argc, char **argv) {
  size_t length = 0;
  char *source = argc == 3 ? read_file(argv[1], &length) : NULL;
  if (!source) {
    fprintf(stderr, "usage: %s SCRIPT ROUNDS\n", argv[0]);
    return 2;
  }
  for (int i = atoi(argv[2]); i > 0; i--)
    if (run(argv[1], source, length)) return 1;
  free(source);
  return 0;
}
