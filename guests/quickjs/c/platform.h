/*
 * What the C library would otherwise ask of a system: there is none here. The
 * module imports nothing but the four functions of host.h, so everything that
 * would drag in WASI is answered in this file, before quickjs.c is read.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/* Implemented in host.h, by the operation "clock". */
static void host_clock(double *unix_ms, double *monotonic_ms);

/* QuickJS prints only dumps and leak reports, which are compiled in but never
 * switched on; without these, libc's streams and their file descriptors would
 * come along. */
#define printf(...) (0)
#define fprintf(...) (0)
#define vfprintf(...) (0)

/* The zone of every isolate is UTC. */
#define localtime_r(at, out) gmtime_r(at, out)

/* Both of the time functions that cutils.h uses. */
#define gettimeofday(tv, zone) platform_gettimeofday(tv)
#define clock_gettime(clock, ts) platform_clock_gettime(ts)

static int platform_gettimeofday(struct timeval *tv)
{
    double unix_ms, monotonic_ms;
    host_clock(&unix_ms, &monotonic_ms);
    int64_t us = (int64_t)(unix_ms * 1000);
    tv->tv_sec = us / 1000000;
    tv->tv_usec = us % 1000000;
    return 0;
}

static int platform_clock_gettime(struct timespec *ts)
{
    double unix_ms, monotonic_ms;
    host_clock(&unix_ms, &monotonic_ms);
    int64_t ns = (int64_t)(monotonic_ms * 1000000);
    ts->tv_sec = ns / 1000000000;
    ts->tv_nsec = ns % 1000000000;
    return 0;
}

#endif
