/* crew_parts.h: what crew.c (threads and plays) and perform.c (the timed loop) share. */
#ifndef DUALMEM_PLAYER_CREW_PARTS_H
#define DUALMEM_PLAYER_CREW_PARTS_H

#include "crew.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LINE = 128 }; /* bytes: two cache lines, because processors fetch them in pairs */

typedef struct dmp_member {
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
} dmp_member;

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
    uint32_t playing;      /* threads that were called */
    uint32_t ready, done;  /* of these */
    bool closing;

    dmp_member *members;
    uint32_t count; /* of threads */
    uint32_t started;
    const size_t *cpus;
    size_t cpu_count;
    dmp_tally *merged;
    dmx_histogram lateness;
};

/* Takes operations of the current play until there are no more. */
void dmp_perform(dmp_member *self);

/* When operation `number` of the trace is due, from the start of the play. */
uint64_t dmp_scheduled(const dmp_trace *trace, const dmp_play *play, uint64_t number);

#endif
