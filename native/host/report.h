/* report.h: the larger events of the worker protocol. */
#ifndef DUALMEM_REPORT_H
#define DUALMEM_REPORT_H

#include "answer.h"

void dmx_report_hello(dmx_answer *answer);

/* reasons: per kernel, NULL where this machine can run it. */
void dmx_report_library(dmx_answer *answer, const char *path, const dmx_library *library, char *const *reasons);
void dmx_report_samples(dmx_answer *answer, const dmx_lane *lanes, size_t lane_count, const dmx_sample *samples,
                        size_t sample_count, size_t exchanged);
void dmx_report_latency(dmx_answer *answer, size_t arm, uint64_t operations, const dmx_latency *latency);
void dmx_report_metrics(dmx_answer *answer, size_t arm, const double *values, size_t count);

/* Stolen ticks of the whole machine since boot; false when they cannot be read. */
bool dmx_read_steal(uint64_t *ticks);
void dmx_report_resources(dmx_answer *answer, bool steal_known, uint64_t steal_ticks);

#endif
