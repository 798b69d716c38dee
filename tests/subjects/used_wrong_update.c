/* Updates do something else. */
#define USED_UPDATE_ERROR 1
#include "used.h"
