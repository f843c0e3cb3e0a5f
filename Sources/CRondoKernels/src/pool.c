// One pool of threads for everything.
//
// A job is published by raising `generation`; workers spin on it for up to about a hundred microseconds, then sleep: the
// next job of a model mostly comes sooner, and waking takes as long. A worker joins the open job if it still has a free
// slot, and the owner returns once the job is closed and all who joined have left; so a worker that wakes late costs
// nothing. `rk_parallel` hands out indices from one counter. `rk_team` waits for all its ranks, which lets them meet at
// barriers.
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "rondo_kernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MAX_WORKERS = 1023, SPINS_BEFORE_SLEEP = 2000, SPINS_BEFORE_YIELD = 4096 };

struct rk_barrier {
    int size;
    atomic_int arrived, phase;
};

static struct {
    _Atomic int requested;     // threads asked for; 0: one per core
    atomic_flag owned;         // held while a job runs
    int workers;               // started so far; changed by the owner only
    // The job. Written by the owner while no worker is inside.
    void (*task)(void *, size_t);
    void (*body)(void *, int, int, rk_barrier *);
    void *context;
    size_t count;
    int size;
    rk_barrier barrier;
    _Alignas(64) atomic_size_t next;  // next index of a parallel job
    _Alignas(64) atomic_int slots;    // workers that may still join; the closed job has none
    atomic_int active;                // workers inside, those about to try included
    _Alignas(64) atomic_uint generation;
    atomic_int sleepers;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
} pool = {.owned = ATOMIC_FLAG_INIT, .mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local bool inside_task;

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// One more turn of a waiting loop: pauses, and gives the core away once waiting has become long.
static inline void spin(unsigned *turns) {
    if (++*turns < SPINS_BEFORE_YIELD)
        relax();
    else
        sched_yield();
}

static int core_count(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

void rk_set_threads(int count) { atomic_store(&pool.requested, count > 0 ? count : 0); }

int rk_threads(void) {
    static atomic_int cores;
    int count = atomic_load_explicit(&pool.requested, memory_order_relaxed);
    if (count == 0 && (count = atomic_load_explicit(&cores, memory_order_relaxed)) == 0)
        atomic_store_explicit(&cores, count = core_count(), memory_order_relaxed);
    return count <= MAX_WORKERS ? count : MAX_WORKERS + 1;
}

// --- barrier ------------------------------------------------------------------------------------

void rk_barrier_wait(rk_barrier *barrier) {
    if (barrier->size == 1) return;
    int phase = atomic_load_explicit(&barrier->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == barrier->size - 1) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->phase, phase + 1, memory_order_release);
        return;
    }
    for (unsigned turns = 0; atomic_load_explicit(&barrier->phase, memory_order_acquire) == phase;) spin(&turns);
}

// --- workers ------------------------------------------------------------------------------------

static void run_indices(void) {
    size_t count = pool.count, index;
    while ((index = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed)) < count)
        pool.task(pool.context, index);
}

/// Takes a slot of the open job; returns its number (1 is the last one), or 0 when there is none.
static int take_slot(void) {
    int slot = atomic_load(&pool.slots);
    while (slot > 0 && !atomic_compare_exchange_weak(&pool.slots, &slot, slot - 1)) {}
    return slot;
}

static void join_job(void) {
    atomic_fetch_add(&pool.active, 1);  // before looking at the slots: the owner looks the other way round
    int slot = take_slot();
    if (slot > 0 && pool.body)
        pool.body(pool.context, slot, pool.size, &pool.barrier);
    else if (slot > 0)
        run_indices();
    atomic_fetch_sub(&pool.active, 1);
}

static void await_generation(unsigned seen) {
    for (int turn = 0; turn < SPINS_BEFORE_SLEEP; turn++) {
        if (atomic_load_explicit(&pool.generation, memory_order_acquire) != seen) return;
        relax();
    }
    pthread_mutex_lock(&pool.mutex);
    atomic_fetch_add(&pool.sleepers, 1);
    while (atomic_load(&pool.generation) == seen) pthread_cond_wait(&pool.wake, &pool.mutex);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.mutex);
}

static void *worker(void *unused) {
    (void)unused;
    inside_task = true;
    for (unsigned seen = 0;;) {
        await_generation(seen);
        seen = atomic_load(&pool.generation);
        join_job();
    }
    return NULL;
}

/// Starts workers until there are `wanted`, as far as the system allows; returns how many may be used.
static int ensure_workers(int wanted) {
    while (pool.workers < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker, NULL) != 0) break;
        pthread_detach(thread);
        pool.workers++;
    }
    return pool.workers < wanted ? pool.workers : wanted;
}

// --- jobs ---------------------------------------------------------------------------------------

/// Makes the caller the owner of the pool, unless it is inside a task or another thread owns it.
static bool acquire(void) {
    return !inside_task && !atomic_flag_test_and_set_explicit(&pool.owned, memory_order_acquire);
}

static void release(void) { atomic_flag_clear_explicit(&pool.owned, memory_order_release); }

static void open_job(int slots) {
    inside_task = true;
    atomic_store(&pool.slots, slots);
    atomic_fetch_add(&pool.generation, 1);
    if (atomic_load(&pool.sleepers) > 0) {
        pthread_mutex_lock(&pool.mutex);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.mutex);
    }
}

/// Waits until all slots are taken (teams), lets nobody else in, and waits for those inside.
static void close_job(bool team) {
    unsigned turns = 0;
    while (team && atomic_load(&pool.slots) > 0) spin(&turns);
    atomic_store(&pool.slots, 0);
    while (atomic_load(&pool.active) > 0) spin(&turns);
    inside_task = false;
}

void rk_parallel(size_t count, void (*task)(void *context, size_t index), void *context) {
    int threads = rk_threads();
    if (count > 1 && threads > 1 && acquire()) {
        size_t helpers = count - 1 < (size_t)threads - 1 ? count - 1 : (size_t)threads - 1;
        int workers = ensure_workers((int)helpers);
        pool.task = task;
        pool.body = NULL;
        pool.context = context;
        pool.count = count;
        atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
        open_job(workers);
        run_indices();
        close_job(false);
        release();
        return;
    }
    for (size_t index = 0; index < count; index++) task(context, index);
}

void rk_team(int wanted, void (*body)(void *context, int rank, int size, rk_barrier *barrier), void *context) {
    int size = wanted < rk_threads() ? wanted : rk_threads();
    if (size > 1 && acquire()) {
        pool.size = ensure_workers(size - 1) + 1;
        pool.body = body;
        pool.context = context;
        pool.barrier.size = pool.size;
        open_job(pool.size - 1);
        body(context, 0, pool.size, &pool.barrier);
        close_job(true);
        release();
        return;
    }
    rk_barrier alone = {.size = 1};
    body(context, 0, 1, &alone);
}
