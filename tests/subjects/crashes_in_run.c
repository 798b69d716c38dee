/* Writes through a null pointer from operation `after` on. */
#define SPIN_AFTER
#define SPIN_IN_OPERATION *(volatile int *)(uintptr_t)state->mask = 1;
#include "spin.h"
