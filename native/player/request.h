/* request.h: what a player is asked, as docs/reference/player-protocol.md describes it. */
#ifndef DUALMEM_PLAYER_REQUEST_H
#define DUALMEM_PLAYER_REQUEST_H

#include "host/host.h"

#include <stdbool.h>
#include <stdio.h>

enum { DMP_ARMS = 10, DMP_LIBRARIES = 16, DMP_SETTINGS = 256, DMP_THREADS = 256, DMP_CPUS = 256, DMP_LINES = 1024 };

typedef enum dmp_task { DMP_DESCRIBE, DMP_PLAY } dmp_task;

typedef struct dmp_request_arm {
    size_t library;
    const char *workload;
    const char *variant;
} dmp_request_arm;

/* All text points into `lines`. */
typedef struct dmp_request {
    dmp_task task;
    const char *libraries[DMP_LIBRARIES];
    size_t library_count;
    dmp_request_arm arms[DMP_ARMS];
    size_t arm_count;
    uint8_t order[DMP_ARMS]; /* a permutation of the arms */
    dmx_setting settings[DMP_SETTINGS];
    size_t setting_count;
    uint64_t seed;
    const char *data;    /* NULL: none */
    const char *queries; /* NULL: none */
    size_t placement;    /* bytes */
    uint32_t threads;
    size_t cpus[DMP_CPUS];
    size_t cpu_count; /* 0: not pinned */
    const char *trace;
    const char *times; /* NULL: none */
    char *lines[DMP_LINES];
    size_t line_count;
} dmp_request;

/* One line `play`. */
typedef struct dmp_play {
    size_t arm;
    uint64_t first, count;
    bool open; /* or closed */
    double speed;
    uint32_t threads;
} dmp_play;

typedef enum dmp_command { DMP_COMMAND_PLAY, DMP_COMMAND_END } dmp_command;

/* Where the lines come from, and which one was the last. */
typedef struct dmp_input {
    FILE *stream;
    size_t line;
} dmp_input;

/* Reads up to `begin`. A refusal names line and key. */
int32_t dmp_request_read(dmp_input *input, dmp_request *request, char *error, size_t error_size);
void dmp_request_free(dmp_request *request);

/* Waits for the next line behind `begin`. `operations`: of the trace. */
int32_t dmp_command_read(dmp_input *input, const dmp_request *request, uint64_t operations, dmp_command *command,
                         dmp_play *play, char *error, size_t error_size);

#endif
