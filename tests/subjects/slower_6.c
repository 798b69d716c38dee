/* Exactly 6 % more work, with the same results. */
#define SPIN_EXTRA_PERCENT 6
#include "spin.h"
