/* links.h: fan and version of a node, and the lock that is the version's lowest bit.
 *
 * One word is lock, sequence number and version at once: a writer sets bit 0, changes the node's adjacency, and stores the
 * number plus 2. A reader takes the number, reads, and compares: equal and even means that nothing changed meanwhile. A
 * lock of its own would cost every node four bytes more and the reader a second cache line. A thread holds two of these
 * locks at most: a concept's before an episode's, of two nodes of one type the lower slot's first. */
#ifndef DUALMEM_STORE_LINKS_H
#define DUALMEM_STORE_LINKS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

typedef struct dm_links {
    _Atomic uint32_t fan;
    _Atomic uint32_t version; /* 2 * changes of the fan, + 1 while locked */
} dm_links;

_Static_assert(sizeof(dm_links) == 8, "eight nodes to a cache line");

static inline void dm_relax(unsigned *spins) {
    /* The holder may have lost its processor: after some hundred cycles, give ours away. */
    if (++*spins < 32) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    } else {
        sched_yield();
    }
}

static inline void dm_links_lock(dm_links *links) {
    for (unsigned spins = 0;; dm_relax(&spins)) {
        uint32_t version = atomic_load_explicit(&links->version, memory_order_relaxed);
        if ((version & 1) == 0 &&
            atomic_compare_exchange_weak_explicit(&links->version, &version, version | 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
            return;
        }
    }
}

/* Nothing that readers look at was changed. */
static inline void dm_links_unlock(dm_links *links) {
    uint32_t version = atomic_load_explicit(&links->version, memory_order_relaxed);
    atomic_store_explicit(&links->version, version & ~UINT32_C(1), memory_order_release);
}

/* The fan is now `fan`. Adjacency is written before, with release stores, so that a reader who sees any of it sees the
 * lock bit or the new version as well. */
static inline void dm_links_unlock_changed(dm_links *links, uint32_t fan) {
    uint32_t version = atomic_load_explicit(&links->version, memory_order_relaxed);
    atomic_store_explicit(&links->fan, fan, memory_order_release);
    atomic_store_explicit(&links->version, (version & ~UINT32_C(1)) + 2, memory_order_release);
}

/* A read of what the word guards: begin, read with acquire loads, end; again until dm_links_read_end says that nothing changed
 * meanwhile. The first attempts only look. A long list beside a thread that keeps changing it would never be read so: the last
 * attempt takes the lock, and so must not be made by a thread that holds one. */
enum { DM_LINKS_LOOKS = 16 };

typedef struct dm_links_read {
    dm_links *links;
    uint32_t looks;
    uint32_t version; /* odd: ours is the lock */
} dm_links_read;

static inline void dm_links_read_begin(dm_links_read *read) {
    if (read->looks == DM_LINKS_LOOKS) {
        dm_links_lock(read->links);
        read->version = atomic_load_explicit(&read->links->version, memory_order_relaxed);
        return;
    }
    read->looks++;
    for (unsigned spins = 0;; dm_relax(&spins)) {
        read->version = atomic_load_explicit(&read->links->version, memory_order_acquire);
        if ((read->version & 1) == 0) {
            return;
        }
    }
}

/* 1 when nothing changed since. */
static inline int dm_links_read_end(const dm_links_read *read) {
    if (read->version & 1) {
        dm_links_unlock(read->links);
        return 1;
    }
    return atomic_load_explicit(&read->links->version, memory_order_relaxed) == read->version;
}

/* 1 while a walk begun at `version` is still worth going on with. A lock that is held does not end it: the holder may let go without
 * having changed anything, and then dm_links_read_end would take half a walk for a whole one. A version that moved never comes
 * back, so whoever stops here fails there. */
static inline int dm_links_unmoved(const dm_links *links, uint32_t version) {
    return ((atomic_load_explicit(&links->version, memory_order_relaxed) ^ version) & ~UINT32_C(1)) == 0;
}

#endif
