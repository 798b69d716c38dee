/* around.h: peers that are libdualmem's own kernels around other people's loops: each names itself and its kernels, around_library.c makes
 * the table. */
#ifndef DUALMEM_PEERS_AROUND_H
#define DUALMEM_PEERS_AROUND_H

#include "kernels/kernels.h"

typedef struct peer_family {
    const dm_kernel *const *kernels;
    const size_t *count;
} peer_family;

typedef struct peer_identity {
    const char *name;
    const char *version;
    const char *flags;
    const char *variant; /* what its rows are called */
    const peer_family *families;
    size_t family_count;
    const char *without; /* a kernel of the families that is left out, or NULL */
    int32_t (*supported)(char *reason, size_t reason_size); /* as in dm_kernel; NULL: everywhere */
} peer_identity;

extern const peer_identity peer_identity_of_this;

#endif
