/* worker.h: one worker process, and the steps that worker.c puts in order. Each step returns a status and leaves its sentence
 * in `error`. */
#ifndef DUALMEM_WORKER_H
#define DUALMEM_WORKER_H

#include "answer.h"
#include "pages.h"
#include "request.h"

typedef struct dmx_worker {
    const dmx_request *request;
    dmx_answer *answer;
    dmx_library *libraries[DMX_LIBRARIES];
    dmx_file data, queries;
    dmx_inputs inputs;
    size_t arm_count; /* of those that the task uses */
    const dm_kernel *kernels[DMX_ARMS];
    dmx_arm arms[DMX_ARMS];
    dmx_lane lanes[DMX_ARMS];
    dmx_memory memory[DMX_ARMS]; /* what each set-up asked for, when pages are to be exchanged */
    char error[DMX_ERROR_SIZE];
} dmx_worker;

/* The pair of arguments that every call which can fail ends with. */
#define ERROR(self) (self)->error, sizeof(self)->error

void dmx_phase(dmx_worker *self, const char *name, int arm); /* arm: -1 for none */

/* ---- before anything is timed (stage.c) ---- */
int32_t dmx_pin(dmx_worker *self);
int32_t dmx_describe(dmx_worker *self);
int32_t dmx_open_arms(dmx_worker *self);
int32_t dmx_set_up_arms(dmx_worker *self);

/* ---- outputs of all arms compared (check.c) ---- */
int32_t dmx_check_arms(dmx_worker *self);

/* ---- the tasks (tasks.c) ---- */
int32_t dmx_prepare(dmx_worker *self);
int32_t dmx_measure(dmx_worker *self);
int32_t dmx_measure_latency(dmx_worker *self);
int32_t dmx_spin(dmx_worker *self);
int32_t dmx_load(dmx_worker *self); /* load.c */
int32_t dmx_read_metrics(dmx_worker *self);

#endif
