/* A store in use that does what it says. */
#include "used.h"
