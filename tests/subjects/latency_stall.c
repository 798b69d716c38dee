/* Every hundredth operation takes 200 us longer, measured by the clock, not by sleeping. */
#include <stdint.h>
#include <time.h>
static uint64_t clock_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#define SPIN_RUN_EACH
#define SPIN_IN_OPERATION                                                 \
    if (state->position % 100 == 99)                                      \
        for (uint64_t begin = clock_ns(); clock_ns() - begin < 200000;) { \
        }
#include "spin.h"
