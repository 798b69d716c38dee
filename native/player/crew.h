/* crew.h: the threads that play, and the only timed code of the player (perform.c).
 *
 * The threads are made once and wait between plays. Operations are taken in order of the trace from one counter that
 * all threads share, so that a thread that is held up holds up nothing but its own operation. */
#ifndef DUALMEM_PLAYER_CREW_H
#define DUALMEM_PLAYER_CREW_H

#include "dualmem/dm_workload.h"
#include "request.h"
#include "trace.h"

/* What operations of one kind did. */
typedef struct dmp_tally {
    uint64_t operations;
    uint64_t errors;        /* of these */
    uint64_t first_error;   /* where there is one: its number, */
    int32_t first_status;   /* and what it returned */
    uint64_t results;       /* the sum, modulo 2^64, of a hash of (number, result) of those without an error */
    dmx_histogram response; /* end - scheduled; empty when closed */
    dmx_histogram service;  /* end - begun */
} dmp_tally;

/* When an operation of a play began and ended, from the start of the play. */
typedef struct dmp_times {
    uint64_t begun_ns;
    uint64_t ended_ns;
} dmp_times;

/* An arm as the timed loop sees it. */
typedef struct dmp_lane {
    const dm_workload *workload;
    dm_state *state;
    uint32_t places[DMP_KINDS]; /* of the trace's kinds, in the workload's table */
} dmp_lane;

typedef struct dmp_played {
    uint64_t scheduled_ns; /* from the first operation to the last, at this speed */
    uint64_t elapsed_ns;   /* from the start to the last end */
    uint64_t cpu_ns;       /* of the process, as all that follows */
    uint64_t minor_faults, major_faults;
    uint64_t voluntary_switches, involuntary_switches;
    const dmp_tally *tallies; /* per kind of the trace; valid until the next play */
    const dmx_histogram
        *lateness; /* begun - scheduled of the operations whose thread was free in time: the player's own */
} dmp_played;

typedef struct dmp_crew dmp_crew;

/* Thread t runs on cpus[t % cpu_count], the caller on any of them; cpu_count 0: anywhere. One crew at a time. */
int32_t dmp_crew_open(const dmp_trace *trace, uint32_t threads, const size_t *cpus, size_t cpu_count, dmp_crew **crew,
                      char *error, size_t error_size);
void dmp_crew_play(dmp_crew *crew, const dmp_lane *lane, const dmp_play *play, dmp_times *times, dmp_played *played);
void dmp_crew_close(dmp_crew *crew); /* accepts NULL */

/* For a signal handler: the number of the operation that this thread is in, or, if it is none of the crew's, the one
 * that has been under way for longest. False: none is. */
bool dmp_crew_under_way(uint64_t *number);

#endif
