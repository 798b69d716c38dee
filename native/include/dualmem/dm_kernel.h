/* dm_kernel.h: the kernel table, version 1.0.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A kernel library is a shared object that exports one symbol,
 *
 *     const dm_library *dm_library_get(void);
 *
 * which returns constant data describing kernels that a host can check and time. This header is all that an author
 * needs: copy it, fill in a table, compile with `cc -O3 -shared -fPIC`. There is nothing to link.
 *
 * The life of one kernel in one worker process:
 *
 *     supported -> [prepare, in another process, once per build and case] -> setup -> run, run, ... -> read_output,
 *     read_metrics -> teardown
 *
 * Threads: the host makes every call from one thread. Several states, of the same or of other libraries, exist at the
 * same time, and `run` on them is interleaved; keep no mutable global data.
 *
 * Time: only `run` and `run_each` are timed. While they run they must not allocate, lock, print, block or fail: whatever
 * can go wrong goes wrong in `setup`.
 *
 * State moves on: `run(state, n)` performs the next n operations of an endless, seeded sequence; it does not start again
 * from the same place, or one sample would leave the next one's data warm. The sequence depends on the case alone: two
 * states set up from the same case perform the same operations and return the same checksums. It must not drift either:
 * the cost of operation 10^9 is that of operation 1 (no strength saturated at 1, nothing decayed to denormals).
 *
 * Growth: every struct begins with its own size and only ever grows at its end. A host reads no field that lies beyond
 * `size`; an author writes `.size = sizeof(dm_kernel)` and is done. A change that breaks this bumps DM_ABI_MAJOR.
 */
#ifndef DUALMEM_DM_KERNEL_H
#define DUALMEM_DM_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cffi:begin (the Python binding is made from the text up to cffi:end, so: plain declarations only) */

enum { DM_ABI_MAJOR = 1, DM_ABI_MINOR = 0 };

/* What a function that can fail returns. The sentence that explains it goes into the caller's buffer: what happened and
 * what to do, without a trailing full stop or newline. */
enum {
    DM_OK = 0,
    DM_ERROR_ARGUMENT = 1,    /* a parameter or a size that this kernel cannot take */
    DM_ERROR_MEMORY = 2,      /* an allocation failed */
    DM_ERROR_UNSUPPORTED = 3, /* this machine lacks what the kernel needs */
    DM_ERROR_IO = 4,          /* a file could not be read or written */
    DM_ERROR_CORRUPT = 5      /* data that contradicts itself (checksum, header, NaN in an embedding) */
};

/* A matrix of float32, row-major. Row r begins at values + r * stride; rows begin at 64-byte boundaries.
 * values is NULL when the case has no such matrix (rows is 0 then). The memory belongs to the host, is read-only and
 * stays valid from setup to teardown. */
typedef struct dm_matrix {
    const float *values;
    uint64_t rows;
    uint64_t columns;
    uint64_t stride; /* floats from one row to the next; a multiple of 16, >= columns; the padding is zero */
} dm_matrix;

/* One case: what distinguishes a measurement from the others of the same kernel. */
typedef struct dm_case {
    size_t size;
    uint64_t seed;            /* fixes every random choice of setup and run */
    const double *parameters; /* parameter_count values, in the order in which the kernel declares them */
    size_t parameter_count;
    dm_matrix data;           /* the vectors stored */
    dm_matrix queries;        /* the vectors looked up; disjoint from data */
    const void *prepared;     /* what prepare wrote, mapped read-only; NULL when the kernel has no prepare */
    size_t prepared_size;     /* bytes */
    size_t placement;         /* bytes, a multiple of 64, < 4096: begin the main buffers this far into their allocation.
                                 The host draws it anew for every worker so that address luck averages out. */
} dm_case;

/* A declared parameter. The host checks the range before setup; an integer parameter is whole. */
typedef struct dm_parameter {
    size_t size;
    const char *name; /* lower_case_with_underscores */
    double default_value;
    double minimum; /* inclusive */
    double maximum; /* inclusive */
    int32_t integer; /* 1: whole numbers only */
    const char *meaning; /* one line, with the unit if there is one */
} dm_parameter;

enum { DM_BETTER_NEITHER = 0, DM_BETTER_LOWER = 1, DM_BETTER_HIGHER = 2 };
enum {
    DM_SCOPE_CASE = 0,   /* the same on every machine: counts, recall, bytes. May be compared across machines. */
    DM_SCOPE_MACHINE = 1 /* depends on the machine */
};

/* A declared metric, read after the runs. Names with a meaning to the host, when a kernel declares them:
 *   population, memory_bytes  nodes that setup really stored (0 makes the case invalid); bytes held by the state, from the allocator
 *   flops_per_operation       floating-point operations, analytic   } the kernel's place under the roof of the machine
 *   bytes_per_operation       bytes that must be read or written    } (Williams, Waterman & Patterson 2009)
 *   working_set_bytes         bytes gone through in a row, again and again; NaN where access is random, and bytes give no limit */
typedef struct dm_metric {
    size_t size;
    const char *name;
    const char *unit; /* "count", "B", "ns", "1" (a ratio) ... */
    int32_t better;   /* DM_BETTER_... */
    int32_t scope;    /* DM_SCOPE_... */
    const char *meaning;
} dm_metric;

/* Takes latencies in run_each. The host owns it. Both calls are cheap: a clock read, an array write. */
typedef struct dm_recorder dm_recorder;
struct dm_recorder {
    size_t size;
    uint64_t (*now)(void); /* nanoseconds of a monotonic clock */
    /* item: which piece of work this was (the query's row, say). The same item comes back in every pass, so the host can
     * also report the fastest pass of each. nanoseconds: end - begin. */
    void (*record)(dm_recorder *self, uint64_t item, uint64_t nanoseconds);
};

typedef struct dm_state dm_state; /* the library's own; opaque to the host */

/* What read_output yields, and so how two builds are compared. */
enum {
    DM_OUTPUT_NONE = 0,      /* checksums must be equal */
    DM_OUTPUT_VALUES = 1,    /* numbers, equal within the tolerance */
    DM_OUTPUT_NEIGHBOURS = 2 /* row numbers into case.data, case.queries.rows x k, best first; judged by recall */
};

typedef struct dm_kernel {
    size_t size;
    const char *name;    /* the operation: "similarity" */
    const char *variant; /* how: "scalar", "avx2", "auto"; name and variant together are unique in the table */
    const char *summary; /* one line: what one operation is */
    double tolerance;    /* largest relative difference of two outputs that still counts as equal, |a-b|/max(|a|,|b|,1);
                            0: checksums must be equal */
    int32_t output;      /* DM_OUTPUT_... */
    int32_t needs_data;  /* 1: case.data (and case.queries) must be there */
    const dm_parameter *parameters;
    size_t parameter_count;
    const dm_metric *metrics;
    size_t metric_count;

    /* Optional. DM_OK when this machine can run the kernel, else DM_ERROR_UNSUPPORTED and the reason. */
    int32_t (*supported)(char *reason, size_t reason_size);

    /* Optional, untimed. Writes what is costly and depends on build and case only (an index, codes) to the new file
     * `path`. The host keeps the file, maps it read-only and passes it to setup as case.prepared. */
    int32_t (*prepare)(const dm_case *work, const char *path, char *error, size_t error_size);

    /* Untimed. Makes the state of one arm. On failure *state stays NULL and nothing is leaked. */
    int32_t (*setup)(const dm_case *work, dm_state **state, char *error, size_t error_size);

    /* Timed. Performs the next `iterations` operations and returns a checksum that depends on every result. */
    uint64_t (*run)(dm_state *state, uint64_t iterations);

    /* Optional, timed. The same operations, each clocked on its own with recorder->now and handed to recorder->record.
     * Without it the host clocks run(state, 1). */
    uint64_t (*run_each)(dm_state *state, uint64_t iterations, dm_recorder *recorder);

    /* Untimed. values: metric_count numbers, NaN for one that is not known. */
    int32_t (*read_metrics)(dm_state *state, double *values, size_t count);

    /* Untimed. Copies what the last operations of run left behind; it computes nothing, so that the check sees what was
     * timed. needed: how many values there are. At most `count` are written. For DM_OUTPUT_NEIGHBOURS the host has run at
     * least one operation per query before. */
    int32_t (*read_output)(dm_state *state, double *values, size_t count, size_t *needed);

    /* Untimed. Frees everything. Accepts NULL. */
    void (*teardown)(dm_state *state);
} dm_kernel;

typedef struct dm_library {
    size_t size;
    uint32_t abi_major; /* DM_ABI_MAJOR */
    uint32_t abi_minor; /* DM_ABI_MINOR */
    const char *name;
    const char *version;
    const char *compiler; /* "gcc 12.2.0" */
    const char *flags;    /* as given to the compiler */
    const char *revision; /* of the source; "" when not known */
    const dm_kernel *const *kernels;
    size_t kernel_count;
} dm_library;

/* cffi:end */

/* The one exported symbol. Returns static constant data; callable at any time, from any thread. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const dm_library *dm_library_get(void);

#ifdef __cplusplus
}
#endif

#endif
