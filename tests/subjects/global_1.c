/* Its global is 1. */
#define GLOBAL_VALUE 1
#include "global.h"
