/* host.h: what measures. Opens kernel libraries, checks them, runs their kernels and times them.
 *
 * One set of sources, built twice: as the worker executable (a fresh process per unit of inference, driver of perf and
 * callgrind) and as the cffi module (runs inside Python: py-spy, tests against numpy oracles).
 *
 * Functions that can fail return DM_OK, the DM_ERROR_... of the library, or DMX_REFUSED when the host itself says no,
 * and leave one sentence in `error`. Not safe for use by several threads at a time. */
#ifndef DUALMEM_HOST_H
#define DUALMEM_HOST_H

#include "dualmem/dm_kernel.h"

/* cffi:begin (the Python binding is made from the text up to cffi:end, so: plain declarations only) */

enum { DMX_REFUSED = -1 };
enum { DMX_ERROR_SIZE = 1024 }; /* bytes of an error buffer that cut nothing so far */

/* ---- libraries (open.c) ---- */

typedef struct dmx_library dmx_library;

/* Loads the shared object at the absolute `path` and checks its whole table before anything of it is used. Refuses a
 * file that is one of `others` (same inode): the loader would map it once and compare it with itself. */
int32_t dmx_library_open(const char *path, dmx_library *const *others, size_t other_count, dmx_library **library,
                         char *error, size_t error_size);
void dmx_library_close(dmx_library *library); /* accepts NULL; no arm of it may be open */

const dm_library *dmx_library_table(const dmx_library *library);
const dm_kernel *dmx_library_kernel(const dmx_library *library, const char *name, const char *variant); /* or NULL */

/* Elements of the arrays of a kernel. Their stride is the `size` that the library was compiled with, not ours. */
const dm_parameter *dmx_kernel_parameter(const dm_kernel *kernel, size_t index);
const dm_metric *dmx_kernel_metric(const dm_kernel *kernel, size_t index);

/* DM_OK when this machine can run the kernel, else the reason. */
int32_t dmx_kernel_supported(const dm_kernel *kernel, char *reason, size_t reason_size);

/* ---- files (matrix.c) ---- */

typedef struct dmx_file {
    const void *bytes; /* mapped read-only; NULL when nothing is mapped */
    size_t size;
} dmx_file;

int32_t dmx_file_map(const char *path, dmx_file *file, char *error, size_t error_size);
void dmx_file_unmap(dmx_file *file); /* accepts one that is not mapped */

/* Maps a matrix file (docs/reference/worker-protocol.md) and checks header and length. `matrix` points into the file.
 */
int32_t dmx_matrix_map(const char *path, dmx_file *file, dm_matrix *matrix, char *error, size_t error_size);

/* ---- one arm: a kernel with its case and its state (arm.c) ---- */

typedef struct dmx_setting {
    const char *name; /* of a declared parameter */
    double value;
} dmx_setting;

/* What the arms of one measurement have in common. */
typedef struct dmx_inputs {
    uint64_t seed;
    const dmx_setting *settings; /* override defaults; one that this kernel does not declare is passed over */
    size_t setting_count;
    dm_matrix data;    /* columns 0: not given */
    dm_matrix queries; /* columns 0: not given; rows 0 with columns: given, and empty */
    size_t placement;
} dmx_inputs;

typedef struct dmx_arm {
    const dm_kernel *kernel;
    dm_state *state;
    double *parameters;
    dm_case work;
    dmx_file prepared;
} dmx_arm;

/* Fills in the case and checks it against what the kernel declares. Calls nothing of the library. */
int32_t dmx_arm_open(dmx_arm *arm, const dm_kernel *kernel, const dmx_inputs *inputs, char *error, size_t error_size);
int32_t dmx_arm_prepare(dmx_arm *arm, const char *path, char *error, size_t error_size); /* writes the file */
int32_t dmx_arm_use_prepared(dmx_arm *arm, const char *path, char *error,
                             size_t error_size); /* maps it, before setup */
int32_t dmx_arm_setup(dmx_arm *arm, char *error, size_t error_size);
uint64_t dmx_arm_run(dmx_arm *arm, uint64_t iterations);

/* What the last operations left behind. `values` is allocated here, freed with dmx_release; NULL and 0 without output.
 */
int32_t dmx_arm_output(dmx_arm *arm, double **values, size_t *count, char *error, size_t error_size);
int32_t dmx_arm_metrics(dmx_arm *arm, double *values, char *error,
                        size_t error_size); /* kernel->metric_count of them */
void dmx_arm_close(dmx_arm *arm);           /* tears down and frees; accepts a zeroed arm and a second call */
void dmx_release(void *memory);

/* ---- clocks (clock.c) ---- */

typedef struct dmx_clock {
    const char *name;
    char source[32];      /* what the kernel derives it from: "tsc"; "" when unreadable */
    double resolution_ns; /* smallest difference seen between two different readings */
    double cost_ns;       /* of one reading */
} dmx_clock;

void dmx_clock_measure(dmx_clock *clock);
uint64_t dmx_now(void);        /* nanoseconds, CLOCK_MONOTONIC */
uint64_t dmx_thread_cpu(void); /* nanoseconds of processor time of this thread */

/* ---- latencies (histogram.c, latency.c) ---- */

/* Log-linear, without clipping: 7 bits of precision, a bucket for every 64-bit value. */
enum { DMX_HISTOGRAM_BITS = 7, DMX_HISTOGRAM_BUCKETS = 7424 };

typedef struct dmx_histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[7424];
} dmx_histogram;

size_t dmx_histogram_bucket(uint64_t value);
uint64_t dmx_histogram_lowest(size_t bucket); /* smallest value of a bucket */
void dmx_histogram_add(dmx_histogram *histogram, uint64_t value);

/* Latencies of one arm: of every operation, and of the fastest pass of each item. */
typedef struct dmx_latency dmx_latency;
int32_t dmx_latency_open(uint64_t operations, dmx_latency **latency, char *error, size_t error_size);
int32_t dmx_latency_pass(dmx_latency *latency, dmx_arm *arm, char *error, size_t error_size); /* `operations` more */
void dmx_latency_read(const dmx_latency *latency, dmx_histogram *every, dmx_histogram *fastest);
void dmx_latency_close(dmx_latency *latency); /* accepts NULL */

/* cffi:end */

#include <signal.h>
#include <stdint.h>

/* ---- timing (execute.c) ---- */

/* An arm as the timed loop sees it. */
typedef struct dmx_lane {
    uint64_t (*run)(dm_state *state, uint64_t iterations);
    dm_state *state;
    uint64_t iterations; /* per sample */
    uint64_t lead;       /* iterations run before each sample, untimed; 0 for none */
    uint64_t checksum;   /* over its samples; depends on their order */
} dmx_lane;

typedef struct dmx_sample {
    uint64_t wall_ns;
    uint64_t cpu_ns;   /* of this thread */
    uint64_t switches; /* involuntary ones during the sample */
} dmx_sample;

/* Iterations of lead-in for samples of that many: what a sample meets first is what the arm before it and the kernel's entry
 * left in caches, translation buffers and prefetchers, 6 to 12 us of a stream through memory, whatever the sample's length. Timed, it would
 * hide a tenth of every difference from samples of 100 us. */
uint64_t dmx_lead(uint64_t iterations);

/* The primitive: runs lanes[schedule[i]] for its lead-in, then for its iterations, which it times, for i = 0, 1, ... */
void dmx_execute(dmx_lane *lanes, const uint8_t *schedule, size_t count, dmx_sample *samples);

/* Iterations of lane 0 that take about target_ns. Every lane runs whatever lane 0 runs, so that they stay at the same
 * operation of the sequence and their checksums remain comparable. */
int32_t dmx_calibrate(dmx_lane *lanes, size_t lane_count, uint64_t target_ns, uint64_t *iterations, char *error,
                      size_t error_size);
/* Runs all lanes in turn for duration_ns, and on while their times still change by more than 2 % from one half of that to the next, up
 * to 24 ms more: set-up leaves caches in a state that the kernel itself would not, and who was set up last has more of it. A stream
 * through 16 MiB takes 2.5 times as long in its first 10 ms as later; timed, that hid half of a planted 6 %. */
/* `order` holds every lane once: the turn in which they run. It should be dealt, because the last lane begins its samples warmer. */
void dmx_warm_up(dmx_lane *lanes, const uint8_t *order, size_t lane_count, uint64_t duration_ns);

uint64_t dmx_scale(uint64_t iterations, double work); /* rounded up */
uint64_t dmx_mix(uint64_t hash, uint64_t value);      /* depends on the order of its calls */

/* Largest |a-b| / max(|a|,|b|,1); DBL_MAX where exactly one of two is not a number, or infinite. */
double dmx_difference(const double *a, const double *b, size_t count);

/* Which arm runs now, -1 for none: read by the worker's crash handler, written before each sample. */
extern volatile sig_atomic_t dmx_current_arm;

enum { DMX_ARMS = 10 }; /* a schedule has one digit per sample */

/* ---- errors ---- */

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
int32_t dmx_refuse(char *error, size_t error_size, int32_t status, const char *format, ...);

#endif
