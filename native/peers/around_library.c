/* around_library.c: the table of a peer of around.h: of each of libdualmem's kernels the scalar row, renamed. */
#include <pthread.h>
#include <string.h>

#include "around.h"

enum { MOST = 16 };

static dm_kernel rows[MOST];
static const dm_kernel *table[MOST];

static dm_library library = {
    .size = sizeof(dm_library),
    .abi_major = DM_ABI_MAJOR,
    .abi_minor = DM_ABI_MINOR,
    .compiler = __VERSION__,
    .revision = "",
    .kernels = table,
};

/* An exact lookup names what it scans, too. */
static int is_wanted(const dm_kernel *kernel) {
    const char *without = peer_identity_of_this.without;
    return (strcmp(kernel->variant, "scalar") == 0 || strcmp(kernel->variant, "exact_scalar") == 0) &&
           (without == NULL || strcmp(kernel->name, without) != 0);
}

static void add_family(const dm_kernel *const *kernels, size_t count) {
    for (size_t i = 0; i < count && library.kernel_count < MOST; i++) {
        if (is_wanted(kernels[i])) {
            dm_kernel *row = &rows[library.kernel_count];
            *row = *kernels[i];
            row->variant = peer_identity_of_this.variant;
            row->supported = peer_identity_of_this.supported;
            table[library.kernel_count++] = row;
        }
    }
}

static void fill_table(void) {
    library.name = peer_identity_of_this.name;
    library.version = peer_identity_of_this.version;
    library.flags = peer_identity_of_this.flags;
    for (size_t i = 0; i < peer_identity_of_this.family_count; i++) {
        add_family(peer_identity_of_this.families[i].kernels, *peer_identity_of_this.families[i].count);
    }
}

const dm_library *dm_library_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fill_table);
    return &library;
}
