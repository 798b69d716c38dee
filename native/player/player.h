/* player.h: one player process, and the steps that player.c puts in order. Each step returns a status and leaves its
 * sentence in `error`. */
#ifndef DUALMEM_PLAYER_PLAYER_H
#define DUALMEM_PLAYER_PLAYER_H

#include "crew.h"
#include "host/answer.h"
#include "library.h"
#include "report.h"
#include "request.h"
#include "trace.h"

/* A workload with its case and its state. */
typedef struct dmp_arm {
    const dm_workload *workload;
    dm_kernel kernel; /* what the workload declares, for the host's code */
    dmx_arm host;     /* its case and state */
    dmp_lane lane;
} dmp_arm;

typedef struct dmp_player {
    dmp_request request;
    dmp_input input;
    dmx_answer answer;
    dmp_library *libraries[DMP_LIBRARIES];
    dmx_file data, queries;
    dmx_inputs inputs;
    dmp_arm arms[DMP_ARMS];
    size_t arm_count;               /* 0 for `describe` */
    dmp_account accounts[DMP_ARMS]; /* what the arms last said of themselves; outlives them, for `done` */
    dmp_trace trace;
    dmp_crew *crew;
    int times; /* descriptor; -1: none */
    bool malformed;
    char error[DMX_ERROR_SIZE];
} dmp_player;

/* The pair of arguments that every call which can fail ends with. */
#define ERROR(self) (self)->error, sizeof(self)->error

void dmp_phase(dmp_player *self, const char *name, int arm); /* arm: -1 for none */

/* ---- before anything is played (stage.c) ---- */
int32_t dmp_describe(dmp_player *self);
int32_t dmp_open_arms(dmp_player *self); /* libraries, inputs, trace, threads */
int32_t dmp_set_up_arms(dmp_player *self);
int32_t dmp_read_accounts(dmp_player *self);
int32_t dmp_read_metrics(dmp_player *self, size_t arm);
void dmp_clean_up(dmp_player *self); /* all but the accounts */
void dmp_free_accounts(dmp_player *self);

/* ---- plays, up to `end` (plays.c) ---- */
int32_t dmp_play_all(dmp_player *self);

#endif
