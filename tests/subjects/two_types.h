/* two_types.h: a kernel and its single-type twin, of which every share and every miss is known.
 *
 * An operation of both takes WORK dependent steps and touches LINES cache lines, more than a first-level cache of 32 KiB holds, so that
 * each is a miss. In the kernel TWO_DUAL_PERCENT of the steps are taken by functions that only two types need: half of them by
 * `dual_only_inline`, which the compiler puts into its caller, half by `shared_steps`, which the twin calls as well.
 *
 *   TWO_DUAL_PERCENT    of the kernel's steps
 *   TWO_MORE_LINES      lines that only the kernel touches
 */
#include "dualmem/dm_kernel.h"

#include <stdlib.h>

enum { WORK = 200000, LINES = 2000, LINE = 64 };

struct dm_state {
    uint64_t chain;
    int dual;
    unsigned char lines[2 * LINES * LINE];
};

static inline __attribute__((always_inline)) uint64_t steps(uint64_t chain, uint64_t count) {
    for (uint64_t step = 0; step < count; step++) {
        chain = chain * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(chain)); /* no closed form */
    }
    return chain;
}

static __attribute__((noinline)) uint64_t shared_steps(uint64_t chain, uint64_t count) {
    return steps(chain, count);
}

static inline __attribute__((always_inline)) uint64_t dual_only_inline(uint64_t chain, uint64_t count) {
    return shared_steps(steps(chain, count / 2), count / 2);
}

static inline uint64_t touch(const dm_state *state, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t line = 0; line < count; line++) {
        sum += *(const volatile unsigned char *)&state->lines[line * LINE];
    }
    return sum;
}

static uint64_t two_run(dm_state *state, uint64_t iterations) {
    const uint64_t dual = state->dual ? WORK / 100 * TWO_DUAL_PERCENT : 0;
    for (uint64_t i = 0; i < iterations; i++) {
        state->chain = shared_steps(state->chain, WORK - dual) + touch(state, LINES + (state->dual ? TWO_MORE_LINES : 0));
        if (dual != 0) {
            state->chain = dual_only_inline(state->chain, dual);
        }
    }
    return state->chain;
}

static int32_t two_setup(const dm_case *work, dm_state **state, char *error, size_t error_size, int dual) {
    (void)error;
    (void)error_size;
    *state = calloc(1, sizeof **state);
    if (*state == NULL) {
        return DM_ERROR_MEMORY;
    }
    (*state)->chain = work->seed | 1;
    (*state)->dual = dual;
    return DM_OK;
}

static int32_t two_setup_dual(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return two_setup(work, state, error, error_size, 1);
}

static int32_t two_setup_single(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return two_setup(work, state, error, error_size, 0);
}

static void two_teardown(dm_state *state) {
    free(state);
}

#define TWO_KERNEL(kernel_name, kernel_setup) \
    {.size = sizeof(dm_kernel),               \
     .name = kernel_name,                     \
     .variant = "plain",                      \
     .summary = "steps and lines",            \
     .setup = kernel_setup,                   \
     .run = two_run,                          \
     .teardown = two_teardown}
static const dm_kernel two_dual = TWO_KERNEL("two", two_setup_dual);
static const dm_kernel two_single = TWO_KERNEL("two_single", two_setup_single);
static const dm_kernel *const two_kernels[] = {&two_dual, &two_single};

static const dm_library two_library = {.size = sizeof(dm_library),
                                       .abi_major = DM_ABI_MAJOR,
                                       .abi_minor = DM_ABI_MINOR,
                                       .name = "two",
                                       .version = "1",
                                       .kernels = two_kernels,
                                       .kernel_count = 2};

const dm_library *dm_library_get(void) {
    return &two_library;
}
