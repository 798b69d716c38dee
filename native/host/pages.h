/* pages.h: which memory belongs to which arm, and the exchange of the physical pages of two arms.
 *
 * Where the pages of an arm lie decides what they share in large caches with whom: on a shared machine equal code on other
 * pages differs by 2 to 4 % for as long as the process lives, and no number of samples changes that. When two arms exchange their pages halfway,
 * what was the luck of one becomes the luck of the other, and the mean of both halves is free of it (docs/adr/0011). Linux only; one thread. */
#ifndef DUALMEM_PAGES_H
#define DUALMEM_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DMX_SPANS = 4096,
    DMX_EXCHANGE_FEWEST = 16,      /* pages of each arm: below 64 KiB there is nothing to gain */
    DMX_EXCHANGE_MOST = 256 << 20, /* bytes of each arm: beyond it the exchange would take longer than the samples */
    DMX_EXCHANGE_STEPS = 512,      /* runs of pages: memory in more pieces is left where it is */
};

/* Addresses begin <= a < end. */
typedef struct dmx_span {
    uintptr_t begin, end;
} dmx_span;

/* Ascending, apart from each other. Unknown (of more than DMX_SPANS pieces, or unreadable): count 0, `known` false. */
typedef struct dmx_memory {
    bool known;
    size_t count;
    dmx_span spans[DMX_SPANS];
} dmx_memory;

/* The pages of this process that an arm could have asked for and that are there: private, writable, of no file, no stack. Gives back to
 * the kernel first what malloc holds free, which is nobody's. */
void dmx_memory_read(dmx_memory *memory);

/* Leaves in `memory` what is not in `before`; unknown if either is. */
void dmx_memory_since(dmx_memory *memory, const dmx_memory *before);

/* Exchanges physical pages of `a` and `b`, in the order of their addresses, as many as both have; contents stay where they are. Small
 * pages go with small pages, huge ones with huge ones, and flags, protection keys and memory policies must agree. Returns how many pages (of the
 * system's size) each side gave. 0, and nothing was touched: fewer than DMX_EXCHANGE_FEWEST, in too many pieces, memory that is not
 * known; another thread, which could write meanwhile; memory pinned for devices, which would still write to the pages of old.
 * Signals wait. Afterwards the memory lies in more mappings than before: a library's own mremap over a whole array may be refused. */
size_t dmx_exchange_pages(const dmx_memory *a, const dmx_memory *b);

#endif
