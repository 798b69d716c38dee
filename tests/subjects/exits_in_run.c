/* Ends the process, politely, in the middle of a run. */
#define SPIN_AFTER
#define SPIN_IN_OPERATION exit(0);
#include "spin.h"
