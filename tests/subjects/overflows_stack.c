/* Recurses without end in run: the signal finds no stack to be handled on. */
#include <stdint.h>
static uint64_t overflow(volatile char *above) {
    volatile char frame[4096];
    frame[0] = (char)(above[0] + 1);
    return frame[0] == 0 && above[0] == 0 ? 0 : overflow(frame) + (uint64_t)frame[0];
}
#define SPIN_AFTER
#define SPIN_IN_OPERATION checksum += overflow((volatile char *)&state->mask);
#include "spin.h"
