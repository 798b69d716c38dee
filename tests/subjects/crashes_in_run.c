/* Writes to the first page, which is never mapped, from operation `after` on. */
#define SPIN_AFTER
#define SPIN_IN_OPERATION *(volatile int *)(uintptr_t)(state->mask + 64) = 1;
#include "spin.h"
