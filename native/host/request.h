/* request.h: the request of one worker, as docs/reference/worker-protocol.md describes it. */
#ifndef DUALMEM_REQUEST_H
#define DUALMEM_REQUEST_H

#include "host.h"

#include <stdbool.h>

enum { DMX_LIBRARIES = 16, DMX_SETTINGS = 256 };

typedef enum dmx_task { DMX_DESCRIBE, DMX_PREPARE, DMX_MEASURE, DMX_LATENCY, DMX_SPIN, DMX_LOAD } dmx_task;
typedef enum dmx_load_kind { DMX_LOAD_NONE, DMX_LOAD_SPIN, DMX_LOAD_BURSTS, DMX_LOAD_BANDWIDTH } dmx_load_kind;

typedef struct dmx_request_arm {
    size_t library;
    const char *kernel;
    const char *variant;
    double work;
    const char *prepared; /* NULL: none */
    const char *output;   /* NULL: none */
} dmx_request_arm;

/* All text points into the buffer that was parsed. */
typedef struct dmx_request {
    dmx_task task;
    const char *libraries[DMX_LIBRARIES];
    size_t library_count;
    dmx_request_arm arms[DMX_ARMS];
    size_t arm_count;
    dmx_setting settings[DMX_SETTINGS];
    size_t setting_count;
    uint64_t seed;
    const char *data;    /* NULL: none */
    const char *queries; /* NULL: none */
    bool pinned;
    size_t cpu;
    size_t stack;            /* bytes */
    size_t placement;        /* bytes */
    uint8_t order[DMX_ARMS]; /* a permutation of the arms */
    uint64_t check;
    uint64_t warmup_ns;
    uint64_t iterations; /* 0: calibrate */
    uint64_t target_ns;
    uint8_t *schedule; /* arm indices, not digits */
    size_t schedule_count;
    size_t exchange; /* the sample before which arms 0 and 1 exchange their pages; 0: they do not */
    uint64_t operations;
    uint64_t passes;
    uint64_t duration_ns;
    dmx_load_kind load;
    const char *path;
} dmx_request;

/* Reads from `descriptor` up to the line `end`; *text is allocated, *size without the terminating zero byte. */
int32_t dmx_request_read(int descriptor, char **text, size_t *size, char *error, size_t error_size);

/* Parses in place. A refusal names line and key. */
int32_t dmx_request_parse(dmx_request *request, char *text, size_t size, char *error, size_t error_size);

#endif
