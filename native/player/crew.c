/* crew.c: the timed loop and the threads that run it.
 *
 * Open loop without coordinated omission: an operation's time comes from the trace alone. A thread that comes too late begins at once,
 * and what the operation waited for is part of its response (Tene 2013).
 *
 * Nothing in the loop locks, allocates or writes where another thread reads, but for the counter of operations. Histograms are each
 * thread's own and merged after the play; their pages are touched before it. */
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

enum {
    LINE = 128,              /* bytes: two cache lines, because processors fetch them in pairs */
    HANDLER_STACK = 1 << 16, /* with AVX-512 state a signal's frame alone is several KiB */
    START_NS = 1000000,      /* from the call to the start: all threads have been woken by then */
    /* A sleep ends late, by 5 to 60 us on a virtual machine, so the last stretch is spun. On two processors that the store needs as well
     * a longer spin would be felt: at 1,000 operations/s this one takes at most a twentieth of one. */
    SPIN_NS = 50000,
};

typedef struct player {
    _Alignas(LINE) dmp_crew *crew;
    uint32_t number;
    pthread_t thread;
    dmp_tally *tallies;
    dmx_histogram lateness;
    uint64_t last_end;
    char *handler_stack;
    /* Read by a signal handler, on any thread. */
    _Alignas(LINE) _Atomic uint64_t under_way; /* 1 + the operation's number; 0: none */
    _Atomic uint64_t since;
} player;

struct dmp_crew {
    _Alignas(LINE) _Atomic uint64_t next; /* the operation to be taken next; a line of its own */
    /* The play. Written before `gone` and read only until all are done. */
    _Alignas(LINE) const dmp_trace *trace;
    const dmp_lane *lane;
    const dmp_play *play;
    dmp_times *times;
    uint64_t start;

    pthread_mutex_t lock;
    pthread_cond_t wake, report;
    uint64_t called, gone; /* plays that threads were called to, and that have started */
    uint32_t ready, done;  /* threads, of this play */
    bool closing;

    player *players;
    uint32_t count; /* of threads */
    uint32_t started;
    const size_t *cpus;
    size_t cpu_count;
    dmp_tally *merged;
    dmx_histogram lateness;
};

static dmp_crew *_Atomic current_crew; /* for the signal handler */
static _Thread_local const player *this_player;

/* ---- the timed loop ---- */

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns the time at which it returns: `time` or a little later. */
static uint64_t wait_until(uint64_t time) {
    uint64_t now = dmx_now();
    if (time > SPIN_NS && now < time - SPIN_NS) {
        const uint64_t until = time - SPIN_NS;
        const struct timespec wake = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR) {
        }
        now = dmx_now();
    }
    for (; now < time; now = dmx_now()) {
        relax();
    }
    return now;
}

/* From the start of the play. */
static uint64_t scheduled(const dmp_trace *trace, const dmp_play *play, uint64_t number) {
    return (uint64_t)((double)(trace->operations[number].at_ns - trace->operations[play->first].at_ns) / play->speed);
}

/* Waits until operation `number` is due, if it is not yet, and returns when it begins. */
static uint64_t begin(const dmp_crew *crew, uint64_t number, uint64_t *due, bool *waited) {
    const uint64_t now = dmx_now();
    *due = crew->play->open ? crew->start + scheduled(crew->trace, crew->play, number) : now;
    *waited = now < *due;
    return *waited ? wait_until(*due) : now;
}

static void count(player *self, uint64_t number, int32_t status, uint64_t result) {
    dmp_tally *tally = &self->tallies[dmp_kind(&self->crew->trace->operations[number])];
    tally->operations++;
    if (status == DM_OK) {
        tally->results += dmx_mix(dmx_mix(0, number), result);
    } else {
        tally->errors++;
    }
}

static void perform(player *self, uint64_t number) {
    const dmp_crew *crew = self->crew;
    const dmp_lane *lane = crew->lane;
    const dmp_operation *operation = &crew->trace->operations[number];
    const size_t kind = dmp_kind(operation);
    dmp_tally *tally = &self->tallies[kind];
    uint64_t due = 0, result = 0;
    bool waited = false;
    const uint64_t begun = begin(crew, number, &due, &waited);
    atomic_store_explicit(&self->since, begun, memory_order_relaxed);
    atomic_store_explicit(&self->under_way, number + 1, memory_order_relaxed);
    const int32_t status = lane->workload->operate(lane->state, self->number, lane->places[kind], dmp_key(operation), &result);
    const uint64_t ended = dmx_now();
    atomic_store_explicit(&self->under_way, 0, memory_order_relaxed);
    count(self, number, status, result);
    /* The latency of an error counts as well: a store must not look fast by failing. */
    dmx_histogram_add(&tally->service, ended - begun);
    if (crew->play->open) {
        dmx_histogram_add(&tally->response, ended - due);
    }
    if (waited) {
        dmx_histogram_add(&self->lateness, begun - due);
    }
    if (crew->times != NULL) {
        crew->times[number - crew->play->first] = (dmp_times){begun - crew->start, ended - crew->start};
    }
    self->last_end = ended;
}

static void perform_all(player *self) {
    dmp_crew *crew = self->crew;
    const uint64_t end = crew->play->first + crew->play->count;
    (void)wait_until(crew->start);
    for (;;) {
        const uint64_t number = atomic_fetch_add_explicit(&crew->next, 1, memory_order_relaxed);
        if (number >= end) {
            return;
        }
        perform(self, number);
    }
}

/* ---- a thread ---- */

/* Written to by the thread that will write them in the play: no page is missing then, and they lie near its processor. */
static void clear(player *self) {
    memset(self->tallies, 0, self->crew->trace->kinds * sizeof *self->tallies);
    memset(&self->lateness, 0, sizeof self->lateness);
    self->last_end = 0;
}

static void *work(void *argument) {
    player *self = argument;
    dmp_crew *crew = self->crew;
    this_player = self;
    stack_t stack = {.ss_sp = self->handler_stack, .ss_size = HANDLER_STACK}, other;
    (void)sigaltstack(&stack, &other);
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* nanoseconds; a sleep may be 50 us too long by default */
    (void)pthread_mutex_lock(&crew->lock);
    for (uint64_t seen = 0; !crew->closing;) {
        if (crew->called == seen) {
            (void)pthread_cond_wait(&crew->wake, &crew->lock);
            continue;
        }
        seen = crew->called;
        if (self->number >= crew->play->threads) {
            continue;
        }
        (void)pthread_mutex_unlock(&crew->lock);
        clear(self);
        (void)pthread_mutex_lock(&crew->lock);
        crew->ready++;
        (void)pthread_cond_signal(&crew->report);
        while (crew->gone != seen) {
            (void)pthread_cond_wait(&crew->wake, &crew->lock);
        }
        (void)pthread_mutex_unlock(&crew->lock);
        perform_all(self);
        (void)pthread_mutex_lock(&crew->lock);
        crew->done++;
        (void)pthread_cond_signal(&crew->report);
    }
    (void)pthread_mutex_unlock(&crew->lock);
    (void)sigaltstack(&other, NULL); /* a sanitizer has one of its own there, and frees what it finds */
    return NULL;
}

static int pin(pthread_attr_t *attributes, size_t cpu) {
    cpu_set_t *set = CPU_ALLOC(cpu + 1);
    if (set == NULL) {
        return ENOMEM;
    }
    const size_t size = CPU_ALLOC_SIZE(cpu + 1);
    CPU_ZERO_S(size, set);
    CPU_SET_S(cpu, size, set);
    const int result = pthread_attr_setaffinity_np(attributes, size, set);
    CPU_FREE(set);
    return result;
}

static int32_t start_thread(dmp_crew *crew, uint32_t number, char *error, size_t error_size) {
    player *self = &crew->players[number];
    self->crew = crew;
    self->number = number;
    self->tallies = calloc(crew->trace->kinds, sizeof *self->tallies);
    self->handler_stack = malloc(HANDLER_STACK);
    if (self->tallies == NULL || self->handler_stack == NULL) {
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for %u threads", crew->count);
    }
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    const size_t cpu = crew->cpu_count > 0 ? crew->cpus[number % crew->cpu_count] : 0;
    int result = crew->cpu_count > 0 ? pin(&attributes, cpu) : 0;
    /* A caller that ends a hanging player does it with SIGTERM: the main thread, which waits, takes it. */
    sigset_t blocked, before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
    result = result == 0 ? pthread_create(&self->thread, &attributes, work, self) : result;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (result != 0 && crew->cpu_count > 0) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "thread %u cannot run on processor %zu: %s; `taskset -p $$` shows which ones are allowed here", number, cpu,
                          strerror(result));
    }
    if (result != 0) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "thread %u of %u cannot be started: %s", number, crew->count,
                          strerror(result));
    }
    crew->started++;
    return DM_OK;
}

static void *allocate_lines(size_t size) {
    void *memory = aligned_alloc(LINE, (size + LINE - 1) / LINE * LINE);
    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

int32_t dmp_crew_open(const dmp_trace *trace, uint32_t threads, const size_t *cpus, size_t cpu_count, dmp_crew **crew, char *error,
                      size_t error_size) {
    *crew = NULL;
    dmp_crew *opened = allocate_lines(sizeof *opened);
    if (opened == NULL) {
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for %u threads", threads);
    }
    opened->trace = trace;
    opened->cpus = cpus;
    opened->cpu_count = cpu_count;
    opened->count = threads;
    (void)pthread_mutex_init(&opened->lock, NULL);
    (void)pthread_cond_init(&opened->wake, NULL);
    (void)pthread_cond_init(&opened->report, NULL);
    opened->players = allocate_lines(threads * sizeof *opened->players);
    opened->merged = calloc(trace->kinds, sizeof *opened->merged);
    int32_t status = DM_OK;
    if (opened->players == NULL || opened->merged == NULL) {
        status = dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for %u threads", threads);
    }
    for (uint32_t i = 0; status == DM_OK && i < threads; i++) {
        status = start_thread(opened, i, error, error_size);
    }
    if (status != DM_OK) {
        dmp_crew_close(opened);
        return status;
    }
    atomic_store(&current_crew, opened);
    *crew = opened;
    return DM_OK;
}

void dmp_crew_close(dmp_crew *crew) {
    if (crew == NULL) {
        return;
    }
    atomic_store(&current_crew, (dmp_crew *)NULL);
    (void)pthread_mutex_lock(&crew->lock);
    crew->closing = true;
    (void)pthread_cond_broadcast(&crew->wake);
    (void)pthread_mutex_unlock(&crew->lock);
    for (uint32_t i = 0; i < crew->started; i++) {
        (void)pthread_join(crew->players[i].thread, NULL);
    }
    for (uint32_t i = 0; crew->players != NULL && i < crew->count; i++) {
        free(crew->players[i].tallies);
        free(crew->players[i].handler_stack);
    }
    (void)pthread_cond_destroy(&crew->report);
    (void)pthread_cond_destroy(&crew->wake);
    (void)pthread_mutex_destroy(&crew->lock);
    free(crew->players);
    free(crew->merged);
    free(crew);
}

/* ---- a play ---- */

static void merge_histogram(dmx_histogram *into, const dmx_histogram *from) {
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    into->max_ns = from->max_ns > into->max_ns ? from->max_ns : into->max_ns;
    for (size_t i = 0; i < DMX_HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

static void merge(dmp_crew *crew, dmp_played *played) {
    uint64_t last_end = crew->start;
    memset(crew->merged, 0, crew->trace->kinds * sizeof *crew->merged);
    memset(&crew->lateness, 0, sizeof crew->lateness);
    for (uint32_t i = 0; i < crew->play->threads; i++) {
        const player *from = &crew->players[i];
        last_end = from->last_end > last_end ? from->last_end : last_end;
        merge_histogram(&crew->lateness, &from->lateness);
        for (size_t kind = 0; kind < crew->trace->kinds; kind++) {
            dmp_tally *into = &crew->merged[kind];
            into->operations += from->tallies[kind].operations;
            into->errors += from->tallies[kind].errors;
            into->results += from->tallies[kind].results;
            merge_histogram(&into->response, &from->tallies[kind].response);
            merge_histogram(&into->service, &from->tallies[kind].service);
        }
    }
    played->elapsed_ns = last_end - crew->start;
    played->tallies = crew->merged;
    played->lateness = &crew->lateness;
}

static uint64_t cpu_ns(const struct rusage *usage) {
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000u;
}

static void read_resources(const struct rusage *before, dmp_played *played) {
    struct rusage after;
    (void)getrusage(RUSAGE_SELF, &after);
    played->cpu_ns = cpu_ns(&after) - cpu_ns(before);
    played->minor_faults = (uint64_t)(after.ru_minflt - before->ru_minflt);
    played->major_faults = (uint64_t)(after.ru_majflt - before->ru_majflt);
    played->voluntary_switches = (uint64_t)(after.ru_nvcsw - before->ru_nvcsw);
    played->involuntary_switches = (uint64_t)(after.ru_nivcsw - before->ru_nivcsw);
}

void dmp_crew_play(dmp_crew *crew, const dmp_lane *lane, const dmp_play *play, dmp_times *times, dmp_played *played) {
    struct rusage before;
    (void)pthread_mutex_lock(&crew->lock);
    crew->lane = lane;
    crew->play = play;
    crew->times = times;
    crew->ready = crew->done = 0;
    crew->called++;
    (void)pthread_cond_broadcast(&crew->wake);
    while (crew->ready < play->threads) {
        (void)pthread_cond_wait(&crew->report, &crew->lock);
    }
    (void)getrusage(RUSAGE_SELF, &before);
    atomic_store(&crew->next, play->first);
    crew->start = dmx_now() + START_NS;
    crew->gone = crew->called;
    (void)pthread_cond_broadcast(&crew->wake);
    while (crew->done < play->threads) {
        (void)pthread_cond_wait(&crew->report, &crew->lock);
    }
    (void)pthread_mutex_unlock(&crew->lock);
    read_resources(&before, played);
    played->scheduled_ns = scheduled(crew->trace, play, play->first + play->count - 1);
    merge(crew, played);
}

bool dmp_crew_under_way(uint64_t *number) {
    if (this_player != NULL) {
        const uint64_t own = atomic_load_explicit(&this_player->under_way, memory_order_relaxed);
        *number = own - 1;
        return own != 0;
    }
    const dmp_crew *crew = atomic_load(&current_crew);
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; crew != NULL && i < crew->count; i++) {
        const uint64_t its = atomic_load_explicit(&crew->players[i].under_way, memory_order_relaxed);
        const uint64_t since = atomic_load_explicit(&crew->players[i].since, memory_order_relaxed);
        if (its != 0 && since < oldest) {
            oldest = since;
            *number = its - 1;
        }
    }
    return oldest != UINT64_MAX;
}
