/* Exactly 10 % more work, with the same results. */
#define SPIN_EXTRA_PERCENT 10
#include "spin.h"
