/* Never returns from operation `after` on. */
#define SPIN_AFTER
#define SPIN_IN_OPERATION                      \
    for (volatile int forever = 1; forever;) { \
    }
#include "spin.h"
