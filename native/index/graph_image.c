/* graph_image.c: the graph as bytes, and back. Arrays by row, one after the other, behind a header; what follows from
 * the rest (levels, places above level 0, how many links lead to a row) is computed anew. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/graph_parts.h"
#include "store/poison.h"

typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t dim;
    uint32_t capacity;
    uint32_t ef_construction;
    uint64_t seed;
    uint64_t entry;
    uint64_t live;
    uint64_t size; /* of the image, bytes */
} header;

static const char MAGIC[8] = {'d', 'm', 'g', 'r', 'a', 'p', 'h', '\n'};
enum { VERSION = 1 };

/* The arrays and their sizes, in the order of the image. */
typedef struct section {
    void *memory;
    size_t size;
} section;

enum { SECTIONS = 5 };

static void list_sections(const dm_graph *graph, section *sections) {
    const size_t rows = graph->capacity;
    const uint32_t last = graph->capacity - 1;
    const size_t lines = (size_t)graph->upper_at[last] + graph->levels[last];
    sections[0] = (section){graph->nodes, rows * graph->gathered.step};
    sections[1] = (section){graph->scales, rows * sizeof(float)};
    sections[2] = (section){(void *)graph->parents, rows * sizeof(uint32_t)};
    sections[3] = (section){(void *)graph->upper, lines * DM_GRAPH_M * sizeof(dm_link)};
    sections[4] = (section){(void *)graph->marks, rows};
}

size_t dm_graph_image_size(const dm_graph *graph) {
    section sections[SECTIONS];
    size_t size = sizeof(header);
    list_sections(graph, sections);
    for (size_t i = 0; i < SECTIONS; i++) {
        size += sections[i].size;
    }
    return size;
}

void dm_graph_write_image(dm_graph *graph, dm_graph_scratch *scratch, void *bytes) {
    section sections[SECTIONS];
    uint8_t *to = bytes;
    (void)pthread_mutex_lock(&graph->change);
    dm_graph_sweep(graph, scratch);
    dm_graph_reclaim(graph);
    header head = {
        .version = VERSION,
        .dim = graph->rows.dim,
        .capacity = graph->capacity,
        .ef_construction = graph->ef_construction,
        .seed = graph->seed,
        .entry = atomic_load_explicit(&graph->entry, memory_order_relaxed),
        .live = dm_graph_size(graph),
        .size = dm_graph_image_size(graph),
    };
    memcpy(head.magic, MAGIC, sizeof(MAGIC));
    memcpy(to, &head, sizeof(head));
    to += sizeof(head);
    list_sections(graph, sections);
    for (size_t i = 0; i < SECTIONS; i++) {
        memcpy(to, sections[i].memory, sections[i].size);
        to += sections[i].size;
    }
    (void)pthread_mutex_unlock(&graph->change);
    uint8_t *marks = to - graph->capacity; /* a row that a search may still read is free in the image */
    for (uint32_t row = 0; row < graph->capacity; row++) {
        marks[row] = marks[row] == DM_MARK_LIVE ? DM_MARK_LIVE : DM_MARK_FREE;
    }
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int32_t corrupt(char *error, size_t error_size, const char *what) {
    snprintf(error, error_size, "the image of the graph is damaged: %s; make it anew", what);
    return DM_ERROR_CORRUPT;
}

static int32_t check_header(const header *head, const dm_rows *rows, size_t size, char *error, size_t error_size) {
    if (memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0 || head->version != VERSION || head->size != size) {
        return corrupt(error, error_size, "its header is not of this version and size");
    }
    if (head->dim != rows->dim || head->live > head->capacity) {
        return corrupt(error, error_size, "it is of rows of another dimension or number");
    }
    return DM_OK;
}

/* One list: rows that live and reach this level, once, none after the end. Counts where they lead. */
static int take_list(dm_graph *graph, uint32_t row, uint32_t level) {
    const dm_link *links = dm_graph_links(graph, row, level);
    int ended = 0;
    for (uint32_t i = 0; i < dm_graph_width(level); i++) {
        uint32_t to = dm_link_load(&links[i]);
        ended |= to == DM_LINK_NONE;
        if (to == DM_LINK_NONE) {
            continue;
        }
        if (ended || to >= graph->capacity || to == row || dm_graph_mark(graph, to) != DM_MARK_LIVE ||
            graph->levels[to] < level) {
            return 0;
        }
        (void)atomic_fetch_add_explicit(&graph->incoming[to], 1, memory_order_relaxed);
    }
    return 1;
}

static int is_sound(dm_graph *graph, uint64_t live, uint64_t entry) {
    uint64_t counted = 0;
    for (uint32_t row = 0; row < graph->capacity; row++) {
        const uint8_t mark = dm_graph_mark(graph, row);
        const uint32_t parent = dm_graph_parent(graph, row);
        counted += mark == DM_MARK_LIVE;
        if (mark > DM_MARK_LIVE || !(graph->scales[row] >= 0.0f && graph->scales[row] <= 1.0f) ||
            (parent != DM_LINK_NONE && parent >= graph->capacity)) {
            return 0;
        }
        for (uint32_t level = 0; level <= graph->levels[row]; level++) {
            if (!take_list(graph, row, level)) {
                return 0;
            }
        }
    }
    if (counted != live || (live == 0) != (entry == DM_ENTRY_NONE)) {
        return 0;
    }
    const uint32_t row = (uint32_t)entry;
    return live == 0 || (row < graph->capacity && dm_graph_mark(graph, row) == DM_MARK_LIVE &&
                         graph->levels[row] == (uint32_t)(entry >> 32));
}

int32_t dm_graph_from_image(const dm_graph_variant *variant, const dm_rows *rows, const void *bytes, size_t size,
                            size_t placement, dm_memory *account, dm_graph **graph, char *error, size_t error_size) {
    header head;
    section sections[SECTIONS];
    *graph = NULL;
    if (size < sizeof(head)) {
        return corrupt(error, error_size, "it is shorter than its header");
    }
    memcpy(&head, bytes, sizeof(head));
    int32_t status = check_header(&head, rows, size, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    const dm_graph_options options = {.capacity = head.capacity,
                                      .ef_construction = head.ef_construction,
                                      .seed = head.seed,
                                      .placement = placement};
    dm_graph *made = NULL;
    status = dm_graph_create(variant, rows, &options, account, &made, error, error_size);
    if (status != DM_OK) {
        return status == DM_ERROR_ARGUMENT ? DM_ERROR_CORRUPT : status;
    }
    if (dm_graph_image_size(made) != size) {
        dm_graph_destroy(made, account);
        return corrupt(error, error_size, "it is cut off");
    }
    const uint8_t *from = (const uint8_t *)bytes + sizeof(head);
    list_sections(made, sections);
    for (size_t i = 0; i < SECTIONS; i++) {
        memcpy(sections[i].memory, from, sections[i].size);
        from += sections[i].size;
    }
    atomic_store_explicit(&made->entry, head.entry, memory_order_relaxed);
    atomic_store_explicit(&made->live, (uint32_t)head.live, memory_order_relaxed);
    if (!is_sound(made, head.live, head.entry)) {
        dm_graph_destroy(made, account);
        return corrupt(error, error_size, "a link, parent, scale or mark is out of range");
    }
    *graph = made;
    return DM_OK;
}
