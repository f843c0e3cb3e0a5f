// Thread-local scratch memory, grown as needed and freed when its thread ends.
#include "scratch.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct {
    void *memory[RK_SCRATCH_COUNT];
    size_t bytes[RK_SCRATCH_COUNT];
} buffers;

static _Thread_local buffers *mine;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_buffers(void *value) {
    buffers *old = value;
    for (int use = 0; use < RK_SCRATCH_COUNT; use++) free(old->memory[use]);
    free(old);
    mine = NULL;
}

static void make_key(void) {
    if (pthread_key_create(&key, free_buffers) != 0) abort();
}

void *rk_scratch(rk_scratch_use use, size_t bytes) {
    if (!mine) {
        pthread_once(&once, make_key);
        mine = calloc(1, sizeof *mine);
        if (!mine) abort();
        pthread_setspecific(key, mine);
    }
    if (bytes > mine->bytes[use]) {
        size_t rounded = (bytes + 4095) / 4096 * 4096;
        free(mine->memory[use]);
        mine->memory[use] = aligned_alloc(64, rounded);
        if (!mine->memory[use]) abort();
        mine->bytes[use] = rounded;
    }
    return mine->memory[use];
}
