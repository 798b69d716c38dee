/* Every insertion keeps a page and does not tell. */
#define USED_LEAKED 4096
#include "used.h"
