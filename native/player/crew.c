/* crew.c: the threads, from their making to the sum of what they counted. None of it is timed.
 *
 * Histograms are each thread's own, touched before a play and merged after it. */
#include "crew_parts.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
    HANDLER_STACK = 1 << 16, /* with AVX-512 state a signal's frame alone is several KiB */
    START_NS = 1000000,      /* from the call to the start: all threads have been woken by then */
};

static dmp_crew *_Atomic current_crew; /* for the signal handler */
static _Thread_local const dmp_member *this_member;

/* ---- a thread ---- */

/* Written to by the thread that will write them in the play: no page is missing then, and they lie near its processor.
 */
static void clear(dmp_member *self) {
    memset(self->tallies, 0, self->crew->trace->kinds * sizeof *self->tallies);
    memset(&self->lateness, 0, sizeof self->lateness);
    self->last_end = 0;
}

static void *work(void *argument) {
    dmp_member *self = argument;
    dmp_crew *crew = self->crew;
    this_member = self;
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
        if (self->number >= crew->playing) { /* the play may be over by now, and what it was told by gone */
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
        dmp_perform(self);
        (void)pthread_mutex_lock(&crew->lock);
        crew->done++;
        (void)pthread_cond_signal(&crew->report);
    }
    (void)pthread_mutex_unlock(&crew->lock);
    (void)sigaltstack(&other, NULL); /* a sanitizer has one of its own there, and frees what it finds */
    return NULL;
}

/* Lets `thread` run on `count` processors. */
static int pin(pthread_t thread, const size_t *cpus, size_t count) {
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = cpus[i] > most ? cpus[i] : most;
    }
    cpu_set_t *set = CPU_ALLOC(most + 1);
    if (set == NULL) {
        return ENOMEM;
    }
    const size_t size = CPU_ALLOC_SIZE(most + 1);
    CPU_ZERO_S(size, set);
    for (size_t i = 0; i < count; i++) {
        CPU_SET_S(cpus[i], size, set);
    }
    const int result = pthread_setaffinity_np(thread, size, set);
    CPU_FREE(set);
    return result;
}

static int32_t start_thread(dmp_crew *crew, uint32_t number, char *error, size_t error_size) {
    dmp_member *self = &crew->members[number];
    self->crew = crew;
    self->number = number;
    self->tallies = calloc(crew->trace->kinds, sizeof *self->tallies);
    self->handler_stack = malloc(HANDLER_STACK);
    if (self->tallies == NULL || self->handler_stack == NULL) {
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for %u threads", crew->count);
    }
    /* A caller that ends a hanging player does it with SIGTERM: the main thread, which waits, takes it. */
    sigset_t blocked, before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int result = pthread_create(&self->thread, NULL, work, self);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "thread %u of %u cannot be started: %s", number, crew->count,
                          strerror(result));
    }
    crew->started++;
    const size_t cpu = crew->cpu_count > 0 ? crew->cpus[number % crew->cpu_count] : 0;
    result = crew->cpu_count > 0 ? pin(self->thread, &cpu, 1) : 0;
    if (result != 0) {
        return dmx_refuse(
            error, error_size, DMX_REFUSED,
            "thread %u cannot run on processor %zu: %s; `taskset -p $$` shows which ones are allowed here", number, cpu,
            strerror(result));
    }
    return DM_OK;
}

static void *allocate_lines(size_t size) {
    void *memory = aligned_alloc(LINE, (size + LINE - 1) / LINE * LINE);
    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

int32_t dmp_crew_open(const dmp_trace *trace, uint32_t threads, const size_t *cpus, size_t cpu_count, dmp_crew **crew,
                      char *error, size_t error_size) {
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
    opened->members = allocate_lines(threads * sizeof *opened->members);
    opened->merged = calloc(trace->kinds, sizeof *opened->merged);
    int32_t status = DM_OK;
    if (opened->members == NULL || opened->merged == NULL) {
        status = dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for %u threads", threads);
    }
    for (uint32_t i = 0; status == DM_OK && i < threads; i++) {
        status = start_thread(opened, i, error, error_size);
    }
    if (status != DM_OK) {
        dmp_crew_close(opened);
        return status;
    }
    if (cpu_count > 0) { /* the caller sets the stores up: their memory is to lie near those who will use it */
        (void)pin(pthread_self(), cpus, cpu_count);
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
        (void)pthread_join(crew->members[i].thread, NULL);
    }
    for (uint32_t i = 0; crew->members != NULL && i < crew->count; i++) {
        free(crew->members[i].tallies);
        free(crew->members[i].handler_stack);
    }
    (void)pthread_cond_destroy(&crew->report);
    (void)pthread_cond_destroy(&crew->wake);
    (void)pthread_mutex_destroy(&crew->lock);
    free(crew->members);
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

static void merge_tally(dmp_tally *into, const dmp_tally *from) {
    if (from->errors > 0 && (into->errors == 0 || from->first_error < into->first_error)) {
        into->first_error = from->first_error;
        into->first_status = from->first_status;
    }
    into->operations += from->operations;
    into->errors += from->errors;
    into->results += from->results;
    merge_histogram(&into->response, &from->response);
    merge_histogram(&into->service, &from->service);
}

static void merge(dmp_crew *crew, dmp_played *played) {
    uint64_t last_end = crew->start;
    memset(crew->merged, 0, crew->trace->kinds * sizeof *crew->merged);
    memset(&crew->lateness, 0, sizeof crew->lateness);
    for (uint32_t i = 0; i < crew->play->threads; i++) {
        const dmp_member *from = &crew->members[i];
        last_end = from->last_end > last_end ? from->last_end : last_end;
        merge_histogram(&crew->lateness, &from->lateness);
        for (size_t kind = 0; kind < crew->trace->kinds; kind++) {
            merge_tally(&crew->merged[kind], &from->tallies[kind]);
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
    crew->playing = play->threads;
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
    played->scheduled_ns = dmp_scheduled(crew->trace, play, play->first + play->count - 1);
    merge(crew, played);
}

bool dmp_crew_under_way(uint64_t *number) {
    if (this_member != NULL) {
        const uint64_t own = atomic_load_explicit(&this_member->under_way, memory_order_relaxed);
        *number = own - 1;
        return own != 0;
    }
    const dmp_crew *crew = atomic_load(&current_crew);
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; crew != NULL && i < crew->count; i++) {
        const uint64_t its = atomic_load_explicit(&crew->members[i].under_way, memory_order_relaxed);
        const uint64_t since = atomic_load_explicit(&crew->members[i].since, memory_order_relaxed);
        if (its != 0 && since < oldest) {
            oldest = since;
            *number = its - 1;
        }
    }
    return oldest != UINT64_MAX;
}
