/* Does not know one of its metrics. */
#define SPIN_POPULATION (double)NAN
#include "spin.h"
