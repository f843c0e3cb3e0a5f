// Says at the end of a program how many blocks of memory it asked for:
//
//     cc -O2 -shared -fPIC Benchmarks/count_mallocs.c -o count_mallocs.so
//     for tokens in 100 300; do
//         LD_PRELOAD=./count_mallocs.so rondo generate --model DIR --prompt a --max-tokens $tokens > /dev/null
//     done
//
// A token's are the difference of the two numbers by 200. Linux only.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_long count;

void *malloc(size_t size) {
    static void *(*next)(size_t);
    if (!next) next = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    atomic_fetch_add(&count, 1);
    return next(size);
}

__attribute__((destructor)) static void report(void) { fprintf(stderr, "%ld calls of malloc\n", atomic_load(&count)); }
