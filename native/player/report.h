/* report.h: the larger events of the player protocol. */
#ifndef DUALMEM_PLAYER_REPORT_H
#define DUALMEM_PLAYER_REPORT_H

#include "crew.h"
#include "host/answer.h"
#include "library.h"

/* What a store says of itself. */
typedef struct dmp_account {
    double *metrics; /* in order of declaration */
    size_t metric_count;
    uint64_t *fans; /* NULL: it has no read_fans */
    size_t fan_count;
} dmp_account;

/* reasons: per workload, NULL where this machine can run it. */
void dmp_report_workloads(dmx_answer *answer, const char *path, const dmp_library *library, char *const *reasons);
/* steal_ticks: of the whole machine; NULL when they cannot be read. */
void dmp_report_played(dmx_answer *answer, const dmp_trace *trace, const dmp_play *play, const dmp_played *played,
                       const dmp_account *account, const uint64_t *steal_ticks);
void dmp_report_error(dmx_answer *answer, const char *phase, int arm, int32_t status, const char *message);

/* `ready`, and `done` at the end. */
void dmp_report_accounts(dmx_answer *answer, const char *event, const dmp_account *accounts, size_t count);

#endif
