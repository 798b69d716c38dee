/* Records each latency twice. */
#define SPIN_RUN_EACH
#define SPIN_RECORDS 2
#include "spin.h"
