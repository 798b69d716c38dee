/* trace.h: the trace file of docs/reference/trace-format.md, mapped and checked. */
#ifndef DUALMEM_PLAYER_TRACE_H
#define DUALMEM_PLAYER_TRACE_H

#include "host/host.h"

enum { DMP_KINDS = 64 };

typedef struct dmp_operation {
    uint64_t at_ns;
    uint64_t what; /* the lowest 8 bits: kind; the others: key */
} dmp_operation;

typedef struct dmp_trace {
    dmx_file file;
    const char *names[DMP_KINDS]; /* of the kinds; they point into the file, as the operations do */
    size_t kinds;
    const dmp_operation *operations;
    uint64_t count;
    uint64_t duration_ns;
} dmp_trace;

/* Refuses a file of which anything is wrong: a trace that was half right would be a load that nobody asked for. */
int32_t dmp_trace_open(const char *path, dmp_trace *trace, char *error, size_t error_size);
void dmp_trace_close(dmp_trace *trace); /* accepts one that is not open */

static inline size_t dmp_kind(const dmp_operation *operation) {
    return (size_t)(operation->what & 0xff);
}

static inline uint64_t dmp_key(const dmp_operation *operation) {
    return operation->what >> 8;
}

#endif
