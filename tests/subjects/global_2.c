/* Its global is 2. */
#define GLOBAL_VALUE 2
#include "global.h"
